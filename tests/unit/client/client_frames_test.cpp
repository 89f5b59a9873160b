// SPDX-License-Identifier: Apache-2.0
// Frames of libdofa-client over D-Bus: one at a time, many at once, and those that never come back.
#include <fcntl.h>

#include <atomic>
#include <thread>

#include "tests/unit/client/client_setup.hpp"

using namespace dofa::client;
using namespace dofa::test;
using namespace std::chrono_literals;

TEST_CASE("a frame arrives sealed, with its format, and its answer comes back whole") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  const Picture picture(42, 6, 5);
  auto frame = picture.frame();
  frame.stride = 6;
  const auto answer = session.infer(frame, {.top_k = 2, .deadline_us = 7'000});

  const auto seen = setup.service->last_frame();
  CHECK((seen.seals & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)) ==
        (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
  REQUIRE(seen.pixels.size() == 30);
  CHECK(seen.pixels[0] == 42);
  CHECK(seen.pixels[29] == 0x55);
  CHECK(seen.format.at("width").get<std::uint32_t>() == 6);
  CHECK(seen.format.at("height").get<std::uint32_t>() == 5);
  CHECK(seen.format.at("format").get<std::string>() == "gray8");
  CHECK(seen.format.at("stride").get<std::uint32_t>() == 6);
  CHECK(seen.format.at("top-k").get<std::uint32_t>() == 2);
  CHECK(seen.format.at("deadline-us").get<std::uint64_t>() == 7'000);

  REQUIRE(answer.top.size() == 2);
  CHECK(answer.top[0].class_index == 42);
  CHECK(answer.top[0].probability == 0.75);
  CHECK(answer.sequence == 9);
  CHECK(answer.level == 1);
  CHECK(answer.subnet == "large");
  CHECK(answer.processor == "cpu");
  CHECK(answer.late);
  CHECK(answer.queue_us == 10);
  CHECK(answer.preprocess_us == 200);
  CHECK(answer.inference_us == 3'000);
}

TEST_CASE("frames on their way together get each its own answer, in whatever order") {
  Setup setup;
  setup.service->hold_frames(true);
  auto session = setup.client.open_session("test", "pets");
  std::vector<std::future<Answer>> futures;
  for (unsigned char i = 0; i < 10; ++i) futures.push_back(session.infer_async(Picture(i).frame()));
  setup.service->answer_held(10);
  for (std::uint32_t i = 0; i < 10; ++i) {
    REQUIRE(ready(futures[i]));
    CHECK(futures[i].get().top[0].class_index == i);
  }
}

TEST_CASE("threads may share a session") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (unsigned char t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) right += session.infer(Picture(t).frame()).top[0].class_index == t ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == 100);
}

TEST_CASE("an answer that does not come in time is a timeout") {
  const PrivateBus bus;
  FakeService service(bus.address());
  service.hold_frames(true);
  auto client = Client::connect({.bus = bus.address(), .timeout = 50ms});
  auto session = client.open_session("test", "pets");
  CHECK(code_of([&] { session.infer(Picture(1).frame()); }) == ErrorCode::kTimedOut);
  try {
    session.infer(Picture(1).frame());
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "dofad did not answer in 0.05 s");
  }
}

TEST_CASE("frames still waiting when their session object goes are cancelled") {
  Setup setup;
  setup.service->hold_frames(true);
  std::future<Answer> future;
  {
    auto session = setup.client.open_session("test", "pets");
    future = session.infer_async(Picture(1).frame());
    REQUIRE(setup.service->saw("Infer"));
  }
  REQUIRE(ready(future));
  CHECK(code_of([&] { future.get(); }) == ErrorCode::kCancelled);
}

TEST_CASE("the handler of a frame still waiting when its session object goes is not called any more") {
  Setup setup;
  setup.service->hold_frames(true);
  std::atomic<int> calls = 0;
  {
    auto session = setup.client.open_session("test", "pets");
    session.infer_async(Picture(1).frame(), {}, [&](const Outcome&) { ++calls; });
    REQUIRE(setup.service->saw("Infer"));
  }
  setup.service->hold_frames(false);
  auto other = setup.client.open_session("test", "pets");
  std::promise<void> later;  // handlers run one after the other
  other.infer_async(Picture(2).frame(), {}, [&](const Outcome&) { later.set_value(); });
  REQUIRE(later.get_future().wait_for(kPatience) == std::future_status::ready);
  CHECK(calls == 0);
}

TEST_CASE("an asynchronous frame's handler gets the answer or the error, and may throw") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  std::promise<Outcome> good;
  std::promise<Outcome> bad;
  session.infer_async(Picture(8).frame(), {}, [&](const Outcome& outcome) {
    good.set_value(outcome);
    throw std::runtime_error("ignored");
  });
  auto answer = good.get_future();
  REQUIRE(ready(answer));
  CHECK(answer.get().answer->top[0].class_index == 8);
  setup.service->fail("Infer", "org.dofa.Dofa1.Error.ResourceExhausted");
  session.infer_async(Picture(8).frame(), {}, [&](const Outcome& outcome) { bad.set_value(outcome); });
  auto error = bad.get_future();
  REQUIRE(ready(error));
  CHECK(error.get().error->code() == ErrorCode::kResourceExhausted);
}

TEST_CASE("a client that loses its bus in the middle of a call gets an error and lives on") {
  Setup setup;
  setup.service->hold_frames(true);
  auto session = setup.client.open_session("test", "pets");
  auto future = session.infer_async(Picture(1).frame());
  REQUIRE(setup.service->saw("Infer"));
  setup.bus.stop();
  REQUIRE(ready(future));
  CHECK(code_of([&] { future.get(); }) == ErrorCode::kUnreachable);
  CHECK(code_of([&] { (void)setup.client.service(); }) == ErrorCode::kUnreachable);
  CHECK(code_of([&] { session.infer(Picture(1).frame()); }) == ErrorCode::kUnreachable);
}

TEST_CASE("a service that goes in the middle of a call is unreachable") {
  const PrivateBus bus;
  auto service = std::make_unique<FakeService>(bus.address());
  service->hold_frames(true);
  auto client = Client::connect({.bus = bus.address(), .timeout = kPatience});
  auto session = client.open_session("test", "pets");
  auto future = session.infer_async(Picture(1).frame());
  REQUIRE(service->saw("Infer"));
  service.reset();
  REQUIRE(ready(future));
  CHECK(code_of([&] { future.get(); }) == ErrorCode::kUnreachable);
}
