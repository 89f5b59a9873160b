// SPDX-License-Identifier: Apache-2.0
// Streams of libdofa-client against a fake service that offers rings.
#include <poll.h>

#include <atomic>

#include "proto/frame_ring.h"
#include "tests/unit/client/client_setup.hpp"

using namespace dofa::client;
using namespace dofa::test;
using namespace std::chrono_literals;

namespace {

bool readable(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  return ::poll(&waiting, 1, 0) == 1;
}

}  // namespace

TEST_CASE("a frame drawn into its slot comes back as a whole result") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  auto stream = session.open_stream(kSmall);
  const auto asked = setup.service->last_dictionary();
  CHECK(asked.size() == 3);
  CHECK(asked.at("width").get<std::uint32_t>() == 4);
  CHECK(asked.at("height").get<std::uint32_t>() == 2);
  CHECK(asked.at("format").get<std::string>() == "gray8");

  CHECK(send(stream, 42, {.deadline_us = 7'000}) == 1);
  const auto result = receive(stream);
  CHECK(setup.service->stream()->last_frame().deadline_us == 7'000);
  CHECK(setup.service->stream()->last_frame().width == 4);
  CHECK(result.sequence == 1);
  CHECK_FALSE(result.error.has_value());
  REQUIRE(result.top.size() == 5);
  CHECK(result.top[0].class_index == 42);
  CHECK(result.top[0].probability == 0.75);
  CHECK(result.level == 1);
  CHECK(result.processor == "cpu");
  CHECK(result.late);
  CHECK_FALSE(result.background);
  CHECK(result.arrival_us == 1);
  CHECK(result.queue_us == 10);
  CHECK(result.service_us == 3'200);
  CHECK(result.preprocess_us == 200);
  CHECK(result.inference_us == 3'000);
  CHECK(result.raw.empty());
  CHECK_FALSE(stream.try_take().has_value());
}

TEST_CASE("all that was asked of a stream reaches the service, and a frame may have a shape of its own") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  auto stream = session.open_stream({.width = 8,
                                     .height = 4,
                                     .format = PixelFormat::kYuyv,
                                     .stride = 32,
                                     .slots = 3,
                                     .top_k = 2,
                                     .raw_output = true});
  const auto asked = setup.service->last_dictionary();
  CHECK(asked.at("format").get<std::string>() == "yuyv");
  CHECK(asked.at("stride").get<std::uint32_t>() == 32);
  CHECK(asked.at("slots").get<std::uint32_t>() == 3);
  CHECK(asked.at("top-k").get<std::uint32_t>() == 2);
  CHECK(asked.at("raw-output").get<bool>());
  send(stream, 1, {.shape = Submission::Shape{6, 2, PixelFormat::kGray8, 7}});
  CHECK(receive(stream).top.size() == 2);
  const auto frame = setup.service->stream()->last_frame();
  CHECK(frame.format == DOFA_FORMAT_GRAY8);
  CHECK(frame.width == 6);
  CHECK(frame.height == 2);
  CHECK(frame.stride == 7);
}

TEST_CASE(
    "results that are there together come in the order of submission, whatever order they were made in") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  auto stream = session.open_stream(kSmall);
  setup.service->stream()->hold(true);
  for (std::uint8_t round = 0; round < 3; ++round) {
    for (std::uint8_t i = 0; i < 4; ++i) send(stream, static_cast<std::uint8_t>(10 * round + i));
    setup.service->stream()->answer(4);
    for (std::uint8_t i = 0; i < 4; ++i) {
      const auto result = receive(stream);
      CHECK(result.sequence == 4U * round + i + 1U);
      CHECK(result.top[0].class_index == 10U * round + i);
    }
  }
  // Once more with the oldest frame in the last slots: the order is not that of the slots.
  setup.service->stream()->hold(false);
  send(stream, 1);
  (void)receive(stream);
  setup.service->stream()->hold(true);
  for (std::uint8_t i = 0; i < 4; ++i) send(stream, i);
  setup.service->stream()->answer(4);
  for (std::uint8_t i = 0; i < 4; ++i) CHECK(receive(stream).top[0].class_index == i);
}

TEST_CASE("a full ring hands out no slot until a result was taken, and frames given up are counted") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  auto stream = session.open_stream({.width = 4, .height = 2, .format = PixelFormat::kGray8, .slots = 2});
  setup.service->stream()->hold(true);
  send(stream, 1);
  {
    const auto unused = stream.try_acquire();  // a slot drawn into is taken too
    CHECK_FALSE(stream.try_acquire().has_value());
  }
  send(stream, 2);
  CHECK_FALSE(stream.try_acquire().has_value());
  stream.count_given_up();
  CHECK(setup.service->stream()->refused() == 1);
  setup.service->stream()->answer(2);
  CHECK(receive(stream).top[0].class_index == 1);
  CHECK(stream.try_acquire().has_value());
}

TEST_CASE(
    "a slot is the memory that the service reads, of the room that was asked for, and good for one frame") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  auto stream = session.open_stream({.width = 64, .height = 32, .format = PixelFormat::kNv12});
  auto slot = stream.try_acquire();
  REQUIRE(slot.has_value());
  CHECK(slot->pixels().size() == 64 * 32 * 3 / 2);
  CHECK(reinterpret_cast<std::uintptr_t>(slot->pixels().data()) % 64 == 0);
  FrameSlot moved = std::move(*slot);
  CHECK(slot->pixels().empty());
  CHECK(code_of([&] { stream.submit(std::move(*slot)); }) == ErrorCode::kInvalidArgument);
  moved.pixels()[0] = std::byte{9};
  stream.submit(std::move(moved));
  CHECK(receive(stream).top[0].class_index == 9);
}

TEST_CASE("raw outputs are read in the ring, and keep their slot as long as they are held") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  auto stream = session.open_stream(
      {.width = 4, .height = 2, .format = PixelFormat::kGray8, .slots = 1, .raw_output = true});
  send(stream, 1);
  {
    const auto result = receive(stream);
    REQUIRE(result.raw.size() == FakeStream::kRawFloats);
    CHECK(result.raw[2] == 2.5F);
    CHECK_FALSE(stream.try_acquire().has_value());
  }
  CHECK(stream.try_acquire().has_value());
}

TEST_CASE("the descriptor is readable as long as results are there, and not before") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  auto stream = session.open_stream(kSmall);
  (void)stream.try_take();  // the news that the stream is there
  CHECK_FALSE(readable(stream.fd()));
  setup.service->stream()->hold(true);
  for (std::uint8_t i = 0; i < 3; ++i) send(stream, i);
  CHECK_FALSE(readable(stream.fd()));
  setup.service->stream()->answer(3);
  for (std::uint8_t i = 0; i < 3; ++i) {
    REQUIRE(readable(stream.fd()));
    CHECK(stream.try_take()->top[0].class_index == i);
  }
  CHECK_FALSE(stream.try_take().has_value());
  CHECK_FALSE(readable(stream.fd()));
  setup.service->stream()->ring();
  CHECK_FALSE(stream.wait(1ms).has_value());  // a bell for nothing is no result
}

TEST_CASE("a handler gets every result, may use its stream, and ends with it") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  std::atomic<std::uint32_t> sum = 0;
  std::promise<void> finished;
  std::optional<Stream> stream;
  stream = session.open_stream(kSmall, [&](const StreamResult& result) {
    sum += result.top.at(0).class_index;
    if (result.sequence < 10) {
      send(*stream, static_cast<std::uint8_t>(result.sequence + 1));
      throw std::runtime_error("ignored");
    }
    stream.reset();
    finished.set_value();
  });
  send(*stream, 1);
  REQUIRE(finished.get_future().wait_for(kPatience) == std::future_status::ready);
  CHECK(sum == 55);
}

TEST_CASE("a handler gets errors too, and nothing for frames on their way when its stream goes") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  std::atomic<int> calls = 0;
  std::promise<ErrorCode> failed;
  std::optional<Stream> stream = session.open_stream(kSmall, [&](const StreamResult& result) {
    if (++calls == 1) failed.set_value(result.error ? result.error->code() : ErrorCode::kFailed);
  });
  setup.service->stream()->alter([](dofa_result& result) { result.status = DOFA_STATUS_MISSED_DEADLINE; });
  send(*stream, 1);
  auto code = failed.get_future();
  REQUIRE(ready(code));
  CHECK(code.get() == ErrorCode::kMissedDeadline);
  setup.service->stream()->hold(true);
  send(*stream, 2);
  stream.reset();  // the deliverer has ended with it
  CHECK(calls == 1);
}

TEST_CASE("threads may share a stream") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  auto stream = session.open_stream({.width = 4, .height = 2, .format = PixelFormat::kGray8, .slots = 16});
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        stream.submit(std::move(*stream.try_acquire()));  // 4 threads never fill 16 slots
        answered += stream.wait(kPatience).has_value() ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(answered == 200);
  CHECK_FALSE(stream.try_take().has_value());
}
