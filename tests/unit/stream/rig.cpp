// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/stream/rig.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <chrono>
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

RingClient::RingClient(control::StreamEnds ends) : ends_(std::move(ends)) {
  struct stat status {};
  REQUIRE(fstat(ends_.ring.get(), &status) == 0);
  size_ = static_cast<std::uint64_t>(status.st_size);
  memory_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, ends_.ring.get(), 0);
  REQUIRE(memory_ != MAP_FAILED);
  REQUIRE(dofa_ring_check(&ring(), size_) == 0);
}

RingClient::RingClient(RingClient&& other) noexcept
    : ends_(std::move(other.ends_)), memory_(std::exchange(other.memory_, nullptr)), size_(other.size_) {}

RingClient::~RingClient() {
  if (memory_ != nullptr) munmap(memory_, size_);
}

std::uint8_t* RingClient::pixels(std::uint32_t index) const {
  return static_cast<std::uint8_t*>(dofa_slot_pixels(&ring(), &slot(index)));
}
const dofa_result& RingClient::result(std::uint32_t index) const {
  return *dofa_slot_result(&ring(), &slot(index));
}
const dofa_top* RingClient::top(std::uint32_t index) const {
  return dofa_slot_top(&ring(), &slot(index));
}
const float* RingClient::raw(std::uint32_t index) const {
  return dofa_slot_raw(&ring(), &slot(index));
}

void RingClient::publish(std::uint32_t index, std::uint64_t sequence) {
  dofa_frame& frame = slot(index).frame;
  frame = {};
  frame.sequence = sequence;
  frame.format = ring().format;
  frame.width = ring().width;
  frame.height = ring().height;
  frame.stride = ring().stride;
  dofa_slot_publish(&slot(index));
}

void RingClient::ring_bell() const {
  REQUIRE(dofa_doorbell_ring(doorbell()) == 0);
}

bool RingClient::wait_done(std::uint32_t index) const {
  while (dofa_slot_state(&slot(index)) != DOFA_SLOT_DONE) {
    pollfd bell{doorbell(), POLLIN, 0};
    if (poll(&bell, 1, kPatienceMs) <= 0) return false;
    if (dofa_doorbell_drain(doorbell()) != 0) return dofa_slot_state(&slot(index)) == DOFA_SLOT_DONE;
  }
  return true;
}

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
