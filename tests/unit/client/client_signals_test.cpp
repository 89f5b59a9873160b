// SPDX-License-Identifier: Apache-2.0
// What libdofa-client tells of the service's signals: handlers of a session, and a watch on everybody.
#include <condition_variable>
#include <mutex>
#include <optional>

#include "tests/unit/client/client_setup.hpp"

using namespace dofa::client;
using namespace dofa::test;
using namespace std::chrono_literals;

TEST_CASE("a session's signals reach its handlers, which may make calls") {
  Setup setup;
  std::promise<SubnetChange> changed;
  std::promise<Contract> unmet;
  std::promise<std::string> closed;
  std::optional<Session> session;
  session = setup.client.open_session(
      "test", "pets", {},
      {.subnet_changed =
           [&](const SubnetChange& change) {
             session->infer(Picture(3).frame());
             changed.set_value(change);
           },
       .contract_unmet = [&](const std::string&, const Contract& nearest) { unmet.set_value(nearest); },
       .closed =
           [&](const std::string& reason) {
             session.reset();  // allowed in its own handler
             closed.set_value(reason);
           }});
  const std::string id = session->id();

  setup.service->emit_subnet_changed(id, "small");
  auto change = changed.get_future();
  REQUIRE(ready(change));
  const auto seen = change.get();
  CHECK(seen.from == "large");
  CHECK(seen.to == "small");
  CHECK(seen.processor == "cpu");
  CHECK(seen.reason == "load rose");
  CHECK(setup.service->last_frame().pixels[0] == 3);

  setup.service->emit_contract_unmet(id);
  auto nearest = unmet.get_future();
  REQUIRE(ready(nearest));
  CHECK(nearest.get() == Contract{.latency_budget_us = 40'000});

  setup.service->close_session(id, "family unloaded");
  auto reason = closed.get_future();
  REQUIRE(ready(reason));
  CHECK(reason.get() == "family unloaded");
  CHECK_FALSE(session.has_value());
}

TEST_CASE("a watch tells what happens to anyone, in order, and nothing after its end") {
  using Kind = Event::Kind;
  const PrivateBus bus;
  auto service = std::make_unique<FakeService>(bus.address());
  const auto before = service->open_session("earlier", {});
  const auto client = Client::connect({.bus = bus.address(), .timeout = kPatience});

  std::mutex mutex;
  std::condition_variable arrived;
  std::vector<Event> events;
  const auto wait_for = [&](std::size_t count) {
    std::unique_lock lock(mutex);
    const bool enough = arrived.wait_for(lock, kPatience, [&] { return events.size() >= count; });
    INFO(events.size() << " of " << count << " events");
    REQUIRE(enough);
  };
  std::optional<Watch> watch = client.watch([&](const Event& event) {
    const std::lock_guard lock(mutex);
    events.push_back(event);
    arrived.notify_all();
  });

  const auto id = service->open_session("camera", {});
  wait_for(1);
  CHECK(events[0].kind == Kind::kSessionOpened);
  CHECK(events[0].session == id);
  CHECK(events[0].application == "camera");
  CHECK(events[0].family == "pets");

  service->emit_subnet_changed(before, "small");
  wait_for(3);
  CHECK(events[1].kind == Kind::kSubnetChanged);
  CHECK(events[1].session == before);
  CHECK(events[1].subnet_change.to == "small");
  CHECK(events[2].kind == Kind::kSessionChanged);
  CHECK(events[2].changes == std::map<std::string, std::string>{{"Level", "1"}});

  service->emit_contract_unmet(id);
  wait_for(4);
  CHECK(events[3].kind == Kind::kContractUnmet);
  CHECK(events[3].nearest == Contract{.latency_budget_us = 40'000});

  service->close_session(id, "closed");
  wait_for(6);
  CHECK(events[4].kind == Kind::kSessionClosed);
  CHECK(events[4].reason == "closed");
  CHECK(events[5].kind == Kind::kSessionRemoved);
  CHECK(events[5].session == id);

  service.reset();
  wait_for(7);
  CHECK(events[6].kind == Kind::kServiceVanished);
  service = std::make_unique<FakeService>(bus.address());
  wait_for(8);
  CHECK(events[7].kind == Kind::kServiceAppeared);
  const auto again = service->open_session("camera", {});
  wait_for(9);
  CHECK(events[8].session == again);

  watch.reset();
  service->open_session("unheard", {});
  (void)client.sessions();  // whatever was sent before its answer has arrived
  const std::lock_guard lock(mutex);
  CHECK(events.size() == 9);
}

TEST_CASE("an event that arrives while another thread waits for an answer is not left lying") {
  Setup setup;
  std::mutex mutex;
  std::condition_variable arrived;
  std::size_t seen = 0;
  const auto watch = setup.client.watch([&](const Event& event) {
    using Kind = Event::Kind;
    const std::lock_guard lock(mutex);
    seen += event.kind == Kind::kSessionOpened || event.kind == Kind::kSessionRemoved ? 1U : 0U;
    arrived.notify_all();
  });
  for (std::size_t i = 1; i <= 200; ++i) {
    // The handlers' thread subscribes to the session's signals meanwhile.
    const auto id = setup.service->open_session("camera", {});
    std::jthread other([&] { setup.service->close_session(id, "closed"); });
    (void)setup.client.families();
    other.join();
    std::unique_lock lock(mutex);
    INFO("session " << i);
    const bool both = arrived.wait_for(lock, kPatience, [&] { return seen == 2 * i; });
    REQUIRE(both);
  }
}
