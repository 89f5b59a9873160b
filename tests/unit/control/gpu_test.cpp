// SPDX-License-Identifier: Apache-2.0
// CPU and GPU as one pool: who is served where, batches, and moves with the load.
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/unit/control/gpu_machine.hpp"

using namespace dofa;
using namespace dofa::test;

TEST_CASE("a session is served where its contract can be kept, and is told where") {
  Machine machine;
  CHECK(machine.serve(machine.open(budget(15'000))) == "cuda:0");
  const auto by_hand = machine.open(fixed("cpu"));
  CHECK(by_hand->processor_name() == "cpu");
  CHECK(machine.serve(by_hand) == "cpu");
  CHECK(machine.ask(fixed("cuda:1")).error().code == ErrorCode::kInvalidArgument);
  const auto processors = machine.runtime.processors();
  REQUIRE(processors.size() == 2);
  CHECK(processors[0].name == "cpu");
  CHECK(processors[1].name == "cuda:0");
  CHECK(processors[1].model == "Fake GPU");
  CHECK(processors[1].lost.empty());
}

TEST_CASE("a family that does not run on the GPU is served by the CPU, and no session can be fixed there") {
  Machine machine;
  const auto other = std::make_shared<FakeFamily>(10, "other");
  REQUIRE(machine.runtime.adopt_family(other).ok());
  const auto refused = machine.runtime.open_session({":1.7", 1000, "test", "other", fixed("cuda:0")});
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kNotSupported);
  const auto session = machine.runtime.open_session({":1.7", 1000, "test", "other", {}});
  REQUIRE(session.ok());
  CHECK(machine.serve(*session) == "cpu");
}

TEST_CASE("a busy GPU takes up a family that loads, and lets go of one that is unloaded") {
  Machine machine;
  const auto session = machine.open(fixed("cuda:0"));
  std::vector<std::unique_ptr<Picture>> pictures;
  machine.gpu->gate.close();
  for (int i = 0; i < 20; ++i) {
    pictures.push_back(std::make_unique<Picture>());
    machine.submit(session, *pictures.back());
  }
  machine.gpu->gate.wait_for_worker();
  std::thread opener([&] { machine.gpu->gate.open(); });
  const auto second = std::make_shared<FakeFamily>(10, "second");
  second->gpu = machine.gpu;
  const auto adopted = machine.runtime.adopt_family(second);
  opener.join();
  REQUIRE(adopted.ok());
  CHECK((*adopted)->runs_on(kGpu));
  CHECK(machine.gpu->runners == 2);
  machine.gpu->full = true;
  const auto third = std::make_shared<FakeFamily>(10, "third");
  third->gpu = machine.gpu;
  const auto waits = machine.runtime.adopt_family(third);
  REQUIRE(waits.ok());
  CHECK_FALSE((*waits)->runs_on(kGpu));
  machine.gpu->full = false;
  CHECK(machine.runtime.unload_family("second", false).ok());
  CHECK(eventually([&] { return (*waits)->runs_on(kGpu); }));  // there is room for it now
  CHECK(machine.gpu->runners == 2);
  CHECK(machine.runtime.unload_family("third", false).ok());
  CHECK(eventually([&] { return machine.gpu->runners == 1; }));
  for (const auto& picture : pictures) CHECK(eventually([&] { return picture->answers == 1; }));
}

TEST_CASE("waiting frames of several sessions run as one batch, each with its own answer") {
  Machine machine;
  const auto first = machine.open(fixed("cuda:0"));
  std::vector<std::shared_ptr<Session>> sessions;
  for (int i = 0; i < 8; ++i) sessions.push_back(machine.open(fixed("cuda:0")));
  machine.gpu->gate.close();
  Picture held;
  machine.submit(first, held);
  machine.gpu->gate.wait_for_worker();
  std::vector<std::unique_ptr<Picture>> pictures;
  for (int i = 0; i < 8; ++i) {
    pictures.push_back(std::make_unique<Picture>(static_cast<std::uint8_t>(i == 3 ? 0xFF : 20 * i)));
    if (i == 3) pictures.back()->image.layout.format = engine::PixelFormat::kFloat32Nchw;  // NaN: is refused
    machine.submit(sessions[static_cast<std::size_t>(i)], *pictures.back());
  }
  machine.gpu->largest_batch = 0;
  machine.gpu->gate.open();
  for (int i = 0; i < 8; ++i) {
    const Picture& picture = *pictures[static_cast<std::size_t>(i)];
    INFO(i);
    REQUIRE(eventually([&] { return picture.answers > 0; }));
    CHECK(picture.answers == 1);
    CHECK(picture.error_code.has_value() == (i == 3));
    if (i != 3) CHECK(picture.grey == Catch::Approx(20 * i).margin(0.01));
    CHECK(sessions[static_cast<std::size_t>(i)]->stats().frames() == 1);
  }
  CHECK(eventually([&] { return held.answers == 1; }));
  CHECK(machine.gpu->largest_batch == 7);
  CHECK(sessions[3]->stats().drops() == 1);
  CHECK(machine.status().slowdown < 3);  // a batch is compared with its own profile, not with one frame's
}

TEST_CASE("a session flees a GPU that others use, and returns once it is free although nobody tells") {
  Machine machine(5'000);
  policy::Contract contract = budget(35'000);  // level 0 fits on the CPU, level 1 only on the GPU
  contract.period_us = 60'000;
  const auto session = machine.open(contract);
  REQUIRE(session->processor_name() == "cuda:0");
  machine.tick();
  machine.gpu->run_us = 40'000;
  for (int frames = 0; frames < 40 && machine.hurries == 0; ++frames) (void)machine.serve(session);
  CHECK(machine.hurries == 1);
  machine.tick(1);  // not the planner's turn yet, but for the hurry
  REQUIRE(session->processor_name() == "cpu");
  const int hurries = machine.hurries;
  for (int i = 0; i < 3; ++i) CHECK(machine.serve(session) == "cpu");
  CHECK(machine.hurries == hurries);
  machine.gpu->run_us = 5'000;
  int ticks = 0;
  for (; ticks < 300 && session->processor_name() == "cpu"; ++ticks) machine.tick(200'000);
  CHECK(session->processor_name() == "cuda:0");
  CHECK(ticks * 200'000 >= 4'000'000);  // not before it has stayed a while
  CHECK(machine.serve(session) == "cuda:0");
}
