// SPDX-License-Identifier: Apache-2.0
// A GPU that is lost, full, and there again.
#include "tests/support/catch.hpp"
#include "tests/unit/control/gpu_machine.hpp"

using namespace dofa;
using namespace dofa::test;

TEST_CASE("when the GPU is lost its frames are answered once each by the CPU, and the session is told") {
  Machine machine;
  const auto session = machine.open(budget(15'000));
  REQUIRE(session->processor_name() == "cuda:0");
  machine.gpu->gate.close();
  Picture pictures[3];
  for (Picture& picture : pictures) machine.submit(session, picture);
  machine.gpu->gate.wait_for_worker();  // one is at hand, two wait
  machine.gpu->lost = true;
  machine.gpu->gate.open();
  for (Picture& picture : pictures) {
    REQUIRE(eventually([&] { return picture.answers > 0; }));
    CHECK_FALSE(picture.error_code);
    CHECK(picture.processor == "cpu");
  }
  CHECK(session->processor_name() == "cpu");
  REQUIRE(eventually([&] { return machine.gpu->runners == 0; }));
  CHECK(machine.status().lost == "the fake GPU fell off the bus");
  machine.tick(1);
  machine.tick();
  REQUIRE(machine.listener.moves.size() == 1);
  CHECK(machine.listener.moves.front() == "cpu: cuda:0 was lost");
  REQUIRE(machine.listener.unmet.size() == 1);  // 20 ms do not fit into 15
  CHECK(machine.listener.unmet.front() == "cuda:0 was lost");
  CHECK(machine.serve(session) == "cpu");
  for (const Picture& picture : pictures) CHECK(picture.answers == 1);

  SECTION("an attempt that fails changes nothing") {
    machine.tick(3'000'000);
    CHECK(machine.serve(session) == "cpu");
    CHECK(machine.gpu->runners == 0);
    CHECK_FALSE(machine.status().lost.empty());
  }
  SECTION("nor one that finds no memory, and a later one brings it back") {
    machine.gpu->lost = false;
    machine.gpu->full = true;
    machine.tick(3'000'000);
    REQUIRE(eventually([&] { return machine.status().lost == "the fake GPU is out of memory"; }));
    CHECK(machine.serve(session) == "cpu");
    machine.gpu->full = false;
    machine.tick(10'000'000);
    REQUIRE(eventually([&] { return machine.status().lost.empty(); }));
    for (int i = 0; i < 5; ++i) machine.tick();
    CHECK(session->processor_name() == "cuda:0");
    CHECK(machine.serve(session) == "cuda:0");
  }
}

TEST_CASE("a session that moves to another processor at the same level is told as well") {
  Machine machine;
  policy::Contract contract = budget(100'000);
  contract.period_us = 100'000;
  contract.level = 0;
  const auto session = machine.open(contract);
  REQUIRE(session->processor_name() == "cuda:0");
  machine.tick();
  CHECK(machine.listener.moves.empty());
  machine.gpu->lost = true;
  CHECK(machine.serve(session) == "cpu");
  machine.tick(300'000);
  REQUIRE(machine.listener.moves.size() == 1);
  CHECK(machine.listener.moves.front() == "cpu: cuda:0 was lost");
  CHECK(machine.listener.unmet.empty());
}

TEST_CASE("sessions fixed to a lost GPU get a named error, and keep nobody else out") {
  Machine machine;
  const auto stuck = machine.open(fixed("cuda:0"));
  const auto mover = machine.open(budget(15'000));
  machine.gpu->lost = true;
  CHECK(machine.serve(stuck) == "cuda:0 was lost: the fake GPU fell off the bus");
  CHECK(machine.serve(stuck) == "cuda:0 was lost");
  CHECK(stuck->stats().missed() == 2);
  CHECK(machine.serve(mover) == "cpu");
  CHECK(machine.serve(machine.open({})) == "cpu");
  CHECK(machine.serve(machine.open(budget(200'000))) == "cpu");
  CHECK(machine.ask(fixed("cuda:0")).error().code == ErrorCode::kNotReady);
  CHECK(machine.ask(budget(15'000)).error().code == ErrorCode::kUnsatisfiable);
  CHECK(machine.runtime.set_contract(stuck, budget(500'000)).ok());
  CHECK(machine.serve(stuck) == "cpu");
  machine.gpu->lost = false;
  machine.tick(5'000'000);
  REQUIRE(eventually([&] { return machine.status().lost.empty(); }));
  CHECK(machine.serve(machine.open(fixed("cuda:0"))) == "cuda:0");
}

TEST_CASE("a family that loads while the GPU is lost, or has no memory left, runs there later") {
  Machine machine;
  const auto session = machine.open(budget(15'000));
  const auto second = std::make_shared<FakeFamily>(10, "second");
  second->gpu = machine.gpu;
  SECTION("lost") {
    machine.gpu->lost = true;
    CHECK(machine.serve(session) == "cpu");
  }
  SECTION("full: the GPU goes on with what it has") {
    machine.gpu->full = true;
  }
  const auto adopted = machine.runtime.adopt_family(second);
  REQUIRE(adopted.ok());
  CHECK_FALSE((*adopted)->runs_on(kGpu));
  if (machine.gpu->full) {
    CHECK(machine.serve(session) == "cuda:0");
    machine.gpu->full = false;
    machine.gpu->lost = true;
    CHECK(machine.serve(session) == "cpu");
  }
  machine.gpu->lost = false;
  machine.tick(5'000'000);
  REQUIRE(eventually([&] { return machine.status().lost.empty(); }));
  CHECK((*adopted)->runs_on(kGpu));
  CHECK((*adopted)->profile()->levels[1].time_us[kGpu] > 0);
}
