// SPDX-License-Identifier: Apache-2.0
// Streams used as meant: every format, results, order, slots. (Limits and ends: rules_test.cpp.)
#include <algorithm>
#include <cstring>
#include <future>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/unit/stream/rig.hpp"

using namespace dofa;
using namespace dofa::test;

namespace {

using engine::PixelFormat;

control::StreamRequest request_of(PixelFormat format, std::uint32_t width, std::uint32_t height) {
  control::StreamRequest request;
  request.layout = {format, width, height, 0};
  request.slots = 2;
  request.top_k = 4;
  request.raw_output = true;
  return request;
}

/// Fills the frame with one colour; what is given are the format's own numbers.
void fill(std::uint8_t* pixels, PixelFormat format, std::uint32_t width, std::uint32_t height, std::uint8_t a,
          std::uint8_t b, std::uint8_t c) {
  const std::size_t count = static_cast<std::size_t>(width) * height;
  switch (format) {
    case PixelFormat::kRgb8:
    case PixelFormat::kBgr8:
      for (std::size_t i = 0; i < count; ++i) {
        pixels[3 * i] = a;
        pixels[3 * i + 1] = b;
        pixels[3 * i + 2] = c;
      }
      return;
    case PixelFormat::kGray8:
      std::memset(pixels, a, count);
      return;
    case PixelFormat::kNv12:
      std::memset(pixels, a, count);
      for (std::size_t i = 0; i < count / 4; ++i) {
        pixels[count + 2 * i] = b;
        pixels[count + 2 * i + 1] = c;
      }
      return;
    case PixelFormat::kYuyv:
      for (std::size_t i = 0; i < count / 2; ++i) {
        pixels[4 * i] = pixels[4 * i + 2] = a;
        pixels[4 * i + 1] = b;
        pixels[4 * i + 3] = c;
      }
      return;
    case PixelFormat::kFloat32Nchw: {
      const float values[3] = {a / 255.0F, b / 255.0F, c / 255.0F};
      auto* floats = reinterpret_cast<float*>(pixels);
      for (std::size_t channel = 0; channel < 3; ++channel)
        std::fill_n(floats + channel * count, count, values[channel]);
      return;
    }
  }
}

policy::Contract at_level(std::uint32_t level) {
  policy::Contract contract;
  contract.level = level;
  return contract;
}

}  // namespace

TEST_CASE("every pixel format arrives as the colour it was drawn in") {
  struct Case {
    PixelFormat format;
    std::uint32_t width, height;
    std::uint8_t a, b, c;
    double red, green, blue;
  };
  // BT.601 limited range by hand: Y=126 gives 128.08; Cr=158 adds 1.596*30 to red and takes .813*30 from
  // green; Cb=98 adds .392*30 to green and takes 2.017*30 from blue.
  const Case one = GENERATE(Case{PixelFormat::kRgb8, 33, 21, 200, 100, 50, 200, 100, 50},
                            Case{PixelFormat::kBgr8, 33, 21, 200, 100, 50, 50, 100, 200},
                            Case{PixelFormat::kGray8, 33, 21, 77, 0, 0, 77, 77, 77},
                            Case{PixelFormat::kNv12, 34, 22, 126, 98, 158, 175.96, 115.45, 67.57},
                            Case{PixelFormat::kYuyv, 34, 21, 126, 98, 158, 175.96, 115.45, 67.57},
                            Case{PixelFormat::kFloat32Nchw, 16, 16, 200, 100, 50, 200, 100, 50});
  Rig rig;
  const auto session = rig.open_session(at_level(0));
  RingClient client = rig.open_stream(session, request_of(one.format, one.width, one.height));
  fill(client.pixels(1), one.format, one.width, one.height, one.a, one.b, one.c);
  client.publish(1, 42);
  client.ring_bell();
  REQUIRE(client.wait_done(1));
  const dofa_result& result = client.result(1);
  INFO(std::string(result.message));
  REQUIRE(result.status == DOFA_STATUS_OK);
  REQUIRE(result.raw_count == 10);
  CHECK(client.raw(1)[0] == Approx(one.red).margin(0.1));
  CHECK(client.raw(1)[1] == Approx(one.green).margin(0.1));
  CHECK(client.raw(1)[2] == Approx(one.blue).margin(0.1));
  CHECK(client.raw(1)[9] == 0.0F);
}

TEST_CASE("a result tells who, what and how long") {
  Rig rig;
  const auto session = rig.open_session(at_level(1));
  auto request = square(16);
  request.top_k = 3;
  RingClient client = rig.open_stream(session, request);
  fill(client.pixels(0), PixelFormat::kRgb8, 16, 16, 90, 200, 10);
  const std::int64_t before = control::now_us();
  client.publish(0, 987654321);
  client.ring_bell();
  REQUIRE(client.wait_done(0));
  const std::int64_t after = control::now_us();
  const dofa_result& result = client.result(0);
  REQUIRE(result.status == DOFA_STATUS_OK);
  CHECK(result.sequence == 987654321);
  CHECK(result.level == 1);
  CHECK(std::string(result.processor) == "cpu");
  CHECK(std::string(result.message).empty());
  CHECK(result.raw_count == 0);
  REQUIRE(result.top_count == 3);
  CHECK(client.top(0)[0].class_index == 3);  // level 1's 1000 leaves nothing to the others
  CHECK(client.top(0)[0].probability == Approx(1.0));
  CHECK(client.top(0)[1].class_index == 1);
  CHECK(client.top(0)[2].class_index == 0);
  CHECK(result.arrival_us >= static_cast<std::uint64_t>(before));
  CHECK(result.service_us >= result.preprocess_us + result.inference_us);
  CHECK(result.arrival_us + result.queue_us + result.service_us <= static_cast<std::uint64_t>(after));
  CHECK((result.flags & DOFA_RESULT_LATE) == 0);
}

TEST_CASE("slots are used again and again, and answers are never crossed") {
  Rig rig({}, 2);
  const auto session = rig.open_session(at_level(0));
  auto request = square(16, 4);
  request.raw_output = true;
  RingClient client = rig.open_stream(session, request);
  for (std::uint64_t sequence = 0; sequence < 400; ++sequence) {
    const auto slot = static_cast<std::uint32_t>(sequence % 4);
    if (sequence >= 4) {
      REQUIRE(client.wait_done(slot));
      REQUIRE(client.result(slot).status == DOFA_STATUS_OK);
      REQUIRE(client.result(slot).sequence == sequence - 4);
      REQUIRE(client.raw(slot)[0] == Approx((sequence - 4) % 256).margin(0.01));
      dofa_slot_release(&client.slot(slot));
    }
    fill(client.pixels(slot), PixelFormat::kRgb8, 16, 16, static_cast<std::uint8_t>(sequence % 256), 0, 0);
    client.publish(slot, sequence);
    client.ring_bell();
  }
  for (std::uint32_t slot = 0; slot < 4; ++slot) REQUIRE(client.wait_done(slot));
  CHECK(session->stats().frames() == 400);
}

TEST_CASE("eight applications at once lose no frame and get no other's answers") {
  Rig rig({}, 2);
  std::vector<std::shared_ptr<control::Session>> sessions;
  std::vector<RingClient> clients;
  for (int i = 0; i < 8; ++i) {
    sessions.push_back(rig.open_session(lowest_level()));
    clients.push_back(rig.open_stream(sessions.back(), honest_request()));
  }
  std::vector<std::future<bool>> served;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    served.push_back(
        std::async(std::launch::async, [&, i] { return serve_honestly(clients[i], 200, 1000 * i); }));
  }
  for (auto& outcome : served) CHECK(outcome.get());
  for (const auto& session : sessions) {
    CHECK(session->stats().frames() == 200);
    CHECK(session->stats().missed() == 0);
  }
}

TEST_CASE("one bell announces several slots, taken round robin behind the last one") {
  Rig rig;
  const auto session = rig.open_session();
  RingClient client = rig.open_stream(session, square(16, 4));
  for (const std::uint32_t slot : {0U, 1U}) {
    client.publish(slot, slot);
    client.ring_bell();
    REQUIRE(client.wait_done(slot));
    dofa_slot_release(&client.slot(slot));
  }
  rig.family->gate().close();
  for (const std::uint32_t slot : {2U, 3U, 0U}) client.publish(slot, slot);
  client.ring_bell();
  rig.family->gate().wait_for_worker();
  rig.family->gate().open();
  for (const std::uint32_t slot : {0U, 2U, 3U}) REQUIRE(client.wait_done(slot));
  CHECK(client.result(2).arrival_us <= client.result(3).arrival_us);
  CHECK(client.result(3).arrival_us <= client.result(0).arrival_us);
}

TEST_CASE("a published slot is taken, and its pixels are the service's until it is done") {
  Rig rig;
  const auto session = rig.open_session();
  RingClient client = rig.open_stream(session, square(16));
  rig.family->gate().close();
  CHECK(dofa_slot_state(&client.slot(0)) == DOFA_SLOT_FREE);
  client.publish(0, 1);
  CHECK(dofa_slot_state(&client.slot(0)) == DOFA_SLOT_SUBMITTED);
  client.ring_bell();
  rig.family->gate().wait_for_worker();
  CHECK(dofa_slot_state(&client.slot(0)) == DOFA_SLOT_TAKEN);
  rig.family->gate().open();
  REQUIRE(client.wait_done(0));
}

TEST_CASE("a bad header is answered by name and harms nothing") {
  Rig rig;
  const auto session = rig.open_session();
  RingClient client = rig.open_stream(session, square(16));
  client.publish(0, 5);
  client.slot(0).frame.height = 17;
  client.ring_bell();
  REQUIRE(client.wait_done(0));
  CHECK(client.result(0).status == DOFA_STATUS_INVALID_ARGUMENT);
  CHECK(client.result(0).sequence == 5);
  CHECK(std::string(client.result(0).message).find("its slot has") != std::string::npos);
  dofa_slot_release(&client.slot(0));
  client.publish(0, 6);
  client.ring_bell();
  REQUIRE(client.wait_done(0));
  CHECK(client.result(0).status == DOFA_STATUS_OK);
}

TEST_CASE("a frame may be smaller or of another format than the ring was opened for") {
  Rig rig;
  const auto session = rig.open_session(at_level(0));
  auto request = square(32);
  request.raw_output = true;
  RingClient client = rig.open_stream(session, request);
  fill(client.pixels(0), PixelFormat::kGray8, 20, 18, 123, 0, 0);
  dofa_frame& frame = client.slot(0).frame;
  frame.format = DOFA_FORMAT_GRAY8;
  frame.width = 20;
  frame.height = 18;
  dofa_slot_publish(&client.slot(0));
  client.ring_bell();
  REQUIRE(client.wait_done(0));
  REQUIRE(client.result(0).status == DOFA_STATUS_OK);
  CHECK(client.raw(0)[2] == Approx(123).margin(0.01));
}
