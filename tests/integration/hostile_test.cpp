// SPDX-License-Identifier: Apache-2.0
// Clients that take all they can get of the real daemon: sessions, descriptors, signals, frames. Others are
// served all along, and everything is given back. (What one can do to a ring or its doorbell: unit/stream.)
#include <poll.h>

#include <algorithm>
#include <dofa/client.hpp>
#include <filesystem>
#include <iterator>
#include <optional>
#include <thread>
#include <vector>

#include "tests/support/bus_client.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/colours_service.hpp"
#include "tests/support/frames.hpp"
#include "tests/support/load_client.hpp"
#include "tests/support/ring_client.hpp"

using namespace dofa;
using namespace dofa::test;

namespace {

struct Attacked : ColoursService {
  [[nodiscard]] std::unique_ptr<sdbus::IConnection> connect() const { return connect_to(daemon->bus()); }
  [[nodiscard]] std::size_t sessions() const {
    return client::Client::connect({.bus = daemon->bus()}).sessions().size();
  }
  [[nodiscard]] std::ptrdiff_t descriptors() const {
    const std::filesystem::directory_iterator all("/proc/" + std::to_string(daemon->process().pid()) + "/fd");
    return std::distance(begin(all), end(all));
  }
};

/// OpenSession and no waiting for its answer.
void open_and_forget(sdbus::IProxy& root) {
  root.callMethod("OpenSession")
      .onInterface(org::dofa::Dofa1::Manager_proxy::INTERFACE_NAME)
      .withArguments(std::string("hostile"), std::string("colours"), Dictionary{})
      .dontExpectReply();
}

std::unique_ptr<sdbus::IProxy> root_of(sdbus::IConnection& connection) {
  return sdbus::createProxy(connection, proto::BusName{proto::kBusName}, sdbus::ObjectPath{proto::kRootPath});
}

bool answers(client::Session& session) {
  return session.infer(SolidFrame(32, 32, {0, 255, 0}).view()).top.at(0).class_index == 1;
}

}  // namespace

TEST_CASE("ten thousand OpenSession calls get what the limit allows, and nobody else notices") {
  const Attacked service;
  auto client = client::Client::connect({.bus = service.daemon->bus()});
  auto bystander = client.open_session("bystander", "colours");
  const auto before = service.descriptors();
  {
    const auto connection = service.connect();
    BusManager manager(*connection);
    int opened = 0;
    int refused = 0;
    for (int i = 0; i < 10'000; ++i) {
      const auto error = error_of([&] { manager.OpenSession("greedy", "colours", {}); });
      opened += error == "no error" ? 1 : 0;
      refused += error == "ResourceExhausted" ? 1 : 0;
      if (i % 1000 == 0) CHECK(answers(bystander));
    }
    CHECK(opened == 15);  // limits.sessions_per_uid is 16, and one is the bystander's
    CHECK(opened + refused == 10'000);
  }
  CHECK(eventually([&] { return service.sessions() == 1; }));
  CHECK(eventually([&] { return service.descriptors() <= before; }));
  CHECK(answers(bystander));
}

TEST_CASE("sessions whose opener has gone before the answer do not stay") {
  const Attacked service;
  auto client = client::Client::connect({.bus = service.daemon->bus()});
  auto bystander = client.open_session("bystander", "colours");
  const auto before = service.descriptors();
  for (int i = 0; i < 100; ++i) {
    const auto connection = service.connect();
    open_and_forget(*root_of(*connection));
  }
  CHECK(eventually([&] { return service.sessions() == 1; }));
  CHECK(eventually([&] { return service.descriptors() <= before; }));
  CHECK(answers(bystander));
}

TEST_CASE("descriptors sent in floods are closed again") {
  const Attacked service;
  auto client = client::Client::connect({.bus = service.daemon->bus()});
  auto bystander = client.open_session("bystander", "colours");
  const auto before = service.descriptors();
  const auto format = [] { return Dictionary{{"width", variant(32U)}, {"height", variant(32U)}}; };
  {
    const auto connection = service.connect();
    BusManager manager(*connection);
    const auto path = manager.OpenSession("flood", "colours", {});
    const auto session = sdbus::createProxy(*connection, proto::BusName{proto::kBusName}, path);
    const Memfd good(32 * 32 * 3);
    const Memfd small(1);
    for (int i = 0; i < 1000; ++i) {
      session->callMethod("Infer")
          .onInterface(org::dofa::Dofa1::Session_proxy::INTERFACE_NAME)
          .withArguments(sdbus::UnixFd{i % 2 == 0 ? good.get() : small.get()}, format())
          .dontExpectReply();
      // A method that takes none gets one all the same.
      session->callMethod("SetContract")
          .onInterface(org::dofa::Dofa1::Session_proxy::INTERFACE_NAME)
          .withArguments(sdbus::UnixFd{good.get()})
          .dontExpectReply();
      if (i % 100 == 0) CHECK(answers(bystander));
    }
    CHECK(answers(bystander));
  }
  CHECK(eventually([&] { return service.sessions() == 1; }));
  CHECK(eventually([&] { return service.descriptors() <= before; }));
  CHECK(answers(bystander));
}

TEST_CASE("a client that asks for every signal and reads none holds up nobody") {
  const Attacked service;
  auto client = client::Client::connect({.bus = service.daemon->bus()});
  auto bystander = client.open_session("bystander", "colours");
  const auto deaf = service.connect();  // no event loop: nothing is ever read from its socket
  const auto bus = sdbus::createProxy(*deaf, proto::BusName{"org.freedesktop.DBus"},
                                      sdbus::ObjectPath{"/org/freedesktop/DBus"});
  bus->callMethod("AddMatch")
      .onInterface("org.freedesktop.DBus")
      .withArguments(std::string("type='signal',sender='org.dofa.Dofa1'"));
  const auto connection = service.connect();
  BusManager manager(*connection);
  for (int i = 0; i < 500; ++i) {
    BusSession session(*connection, manager.OpenSession("noisy", "colours", {}));
    session.SetContract({{"level", variant(0U)}});
    session.Close();
    if (i % 100 == 0) CHECK(answers(bystander));
  }
  CHECK(answers(bystander));
  CHECK(eventually([&] { return service.sessions() == 1; }));
}

TEST_CASE(
    "a stream that floods above its contract's rate is background, and a camera beside it misses nothing") {
  const Attacked service;
  LoadClient camera(service.daemon->bus(), "camera", 30, {.latency_budget_us = 500'000, .period_us = 33'333});
  std::this_thread::sleep_for(std::chrono::seconds(2));
  const auto alone = camera.info();
  const auto connection = service.connect();
  BusManager manager(*connection);
  BusSession flooder(*connection,
                     manager.OpenSession("flooder", "colours",
                                         {{"period-us", variant(std::uint64_t{100'000})},
                                          {"latency-budget-us", variant(std::uint64_t{100'000})}}));
  auto [memory, doorbell] =
      flooder.OpenStream({{"width", variant(32U)}, {"height", variant(32U)}, {"slots", variant(4U)}});
  RingClient ring({control::UniqueFd(memory.release()), control::UniqueFd(doorbell.release())});
  std::uint64_t sent = 0;
  std::uint64_t background = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  while (std::chrono::steady_clock::now() < end) {
    const std::uint32_t slot = sent % ring.ring().slots;
    if (sent >= ring.ring().slots) {
      REQUIRE(ring.wait_done(slot));
      const dofa_result result = ring.result(slot);
      background += result.status == DOFA_STATUS_OK && (result.flags & DOFA_RESULT_BACKGROUND) != 0 ? 1 : 0;
      dofa_slot_release(&ring.slot(slot));
    }
    ring.publish(slot, sent++);
    ring.ring_bell();
  }
  const auto info = camera.info();
  camera.stop();
  INFO(camera.trouble);
  CHECK(sent > 100);              // far above ten a second
  CHECK(background + 60 > sent);  // all but the contract's own rate and its burst
  CHECK(camera.answered == camera.submitted);
  CHECK(alone.frames > 0);
  CHECK(info.attainment >= alone.attainment - 0.02);  // half a second each: generous, for a busy machine
}
