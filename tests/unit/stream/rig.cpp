// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/stream/rig.hpp"

#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

#include "tests/support/catch.hpp"

namespace dofa::test {
namespace {

constexpr int kPatienceMs = 10'000;

config::ServiceOptions options_with(config::LimitOptions limits, std::uint32_t lanes) {
  config::ServiceOptions options;
  options.limits = limits;
  options.lanes.cpu = lanes;
  return options;
}

control::Environment quiet_environment() {
  control::Environment environment;
  environment.root = "/nonexistent";
  return environment;
}

}  // namespace

Rig::Rig(config::LimitOptions limits, std::uint32_t lanes)
    : family(std::make_shared<FakeFamily>()),
      runtime(options_with(limits, lanes), quiet_environment()),
      server(runtime) {
  REQUIRE(runtime.adopt_family(family).ok());
}

std::shared_ptr<control::Session> Rig::open_session(policy::Contract contract, std::uint32_t uid) {
  auto session = runtime.open_session({":1.7", uid, "test", "fake", std::move(contract)});
  if (!session) FAIL(session.error().message);
  return *session;
}

RingClient Rig::open_stream(const std::shared_ptr<control::Session>& session,
                            const control::StreamRequest& request) {
  auto ends = server.open_stream(session, request);
  if (!ends) FAIL(ends.error().message);
  return RingClient(std::move(*ends));
}

control::StreamRequest square(std::uint32_t side, std::uint32_t slots) {
  control::StreamRequest request;
  request.layout = {engine::PixelFormat::kRgb8, side, side, 0};
  request.slots = slots;
  return request;
}

/// Submits `frames` frames one by one and checks each answer; false at the first that is wrong or does not
/// come.
bool serve_honestly(RingClient& client, std::uint64_t frames, std::uint64_t first) {
  for (std::uint64_t sequence = first; sequence < first + frames; ++sequence) {
    const auto slot = static_cast<std::uint32_t>(sequence % client.ring().slots);
    const auto colour = static_cast<std::uint8_t>(sequence * 7 % 256);
    const std::uint64_t pixels = client.ring().pixels_bytes;
    std::memset(client.pixels(slot), colour, pixels);
    client.publish(slot, sequence);
    if (dofa_doorbell_ring(client.doorbell()) != 0 || !client.wait_done(slot)) return false;
    const dofa_result& result = client.result(slot);
    if (result.status != DOFA_STATUS_OK || result.sequence != sequence) return false;
    if (client.raw(slot)[0] != Approx(colour).margin(0.01)) return false;
    dofa_slot_release(&client.slot(slot));
  }
  return true;
}

control::StreamRequest honest_request() {
  auto request = square(16, 2);
  request.raw_output = true;
  return request;
}

policy::Contract lowest_level() {
  policy::Contract contract;
  contract.level = 0;
  return contract;
}

bool eventually(const std::function<bool()>& holds) {
  const auto patience = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMs);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > patience) return false;
    std::this_thread::yield();
  }
  return true;
}

int mapped_rings() {
  std::ifstream maps("/proc/self/maps");
  int count = 0;
  for (std::string line; std::getline(maps, line);)
    count += line.find("memfd:dofa-ring") != std::string::npos ? 1 : 0;
  return count;
}

}  // namespace dofa::test
