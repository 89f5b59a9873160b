// SPDX-License-Identifier: Apache-2.0
// Frame streams the way applications have them, through libdofa-client, the real bus and the real daemon.
#include <algorithm>
#include <cstring>
#include <dofa/client.hpp>
#include <memory>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/colours_service.hpp"
#include "tests/support/load_client.hpp"

using namespace dofa;
using namespace dofa::test;
using namespace std::chrono_literals;
using client::PixelFormat;

namespace {

/// One colour in the format's own numbers: BT.601 limited range for the YUV ones.
void fill(std::span<std::byte> pixels, PixelFormat format, std::size_t count,
          const std::uint8_t (&colour)[3]) {
  const auto put = [&](std::size_t at, int channel) { pixels[at] = std::byte{colour[channel]}; };
  switch (format) {
    case PixelFormat::kRgb8:
    case PixelFormat::kBgr8:
      for (std::size_t i = 0; i < 3 * count; ++i) put(i, static_cast<int>(i % 3));
      return;
    case PixelFormat::kGray8:
      for (std::size_t i = 0; i < count; ++i) put(i, 0);
      return;
    case PixelFormat::kNv12:
      for (std::size_t i = 0; i < count; ++i) put(i, 0);
      for (std::size_t i = 0; i < count / 2; ++i) put(count + i, 1 + static_cast<int>(i % 2));
      return;
    case PixelFormat::kYuyv:
      for (std::size_t i = 0; i < 2 * count; ++i) put(i, i % 2 == 0 ? 0 : 1 + static_cast<int>(i / 2 % 2));
      return;
    case PixelFormat::kFloat32Nchw:
      for (std::size_t i = 0; i < 3 * count; ++i) {
        const float value = static_cast<float>(colour[i / count]) / 255.0F;
        std::memcpy(pixels.data() + i * sizeof value, &value, sizeof value);
      }
  }
}

client::StreamResult send(client::Stream& stream, PixelFormat format, std::size_t count,
                          const std::uint8_t (&colour)[3], const client::Submission& submission = {}) {
  auto slot = stream.try_acquire();
  REQUIRE(slot);
  fill(slot->pixels(), format, count, colour);
  const auto sequence = stream.submit(std::move(*slot), submission);
  auto result = stream.wait(20s);
  REQUIRE(result);
  CHECK(result->sequence == sequence);
  return *result;
}

}  // namespace

TEST_CASE("every pixel format goes through a stream and comes back as the colour it was drawn in") {
  const ColoursService service;
  auto client = client::Client::connect({.bus = service.daemon->bus()});
  auto session = client.open_session("painter", "colours");
  struct Case {
    PixelFormat format;
    std::uint32_t width, height;
    std::uint8_t colour[3];
    std::uint32_t expected;
  };
  // The classes are red, green, blue, black; grey of any brightness is none of the first three alone, so
  // black there.
  for (const Case& one :
       {Case{PixelFormat::kRgb8, 33, 21, {255, 0, 0}, 0}, Case{PixelFormat::kRgb8, 33, 21, {0, 0, 255}, 2},
        Case{PixelFormat::kBgr8, 33, 21, {255, 0, 0}, 2}, Case{PixelFormat::kBgr8, 33, 21, {0, 0, 255}, 0},
        Case{PixelFormat::kGray8, 35, 3, {0, 0, 0}, 3}, Case{PixelFormat::kNv12, 34, 22, {81, 90, 240}, 0},
        Case{PixelFormat::kNv12, 34, 22, {41, 240, 110}, 2},
        Case{PixelFormat::kYuyv, 34, 21, {81, 90, 240}, 0},
        Case{PixelFormat::kYuyv, 34, 21, {41, 240, 110}, 2},
        Case{PixelFormat::kFloat32Nchw, 32, 32, {255, 0, 0}, 0},
        Case{PixelFormat::kFloat32Nchw, 32, 32, {0, 255, 0}, 1}}) {
    INFO("format " << static_cast<int>(one.format) << ", class " << one.expected);
    auto stream = session.open_stream({.width = one.width, .height = one.height, .format = one.format});
    const auto result = send(stream, one.format, std::size_t{one.width} * one.height, one.colour);
    if (result.error) FAIL(result.error->what());
    CHECK(result.top.at(0).class_index == one.expected);
  }
}

TEST_CASE("sizes that a format cannot have are refused by name, for a stream and for one of its frames") {
  const ColoursService service;
  auto client = client::Client::connect({.bus = service.daemon->bus()});
  auto session = client.open_session("painter", "colours");
  const auto refused = [&](PixelFormat format, std::uint32_t width, std::uint32_t height) {
    try {
      (void)session.open_stream({.width = width, .height = height, .format = format});
      return false;
    } catch (const client::Error& error) {
      return error.code() == client::ErrorCode::kInvalidArgument;
    }
  };
  CHECK(refused(PixelFormat::kNv12, 33, 32));
  CHECK(refused(PixelFormat::kNv12, 32, 33));
  CHECK(refused(PixelFormat::kYuyv, 33, 32));
  CHECK_FALSE(refused(PixelFormat::kYuyv, 32, 33));

  auto stream = session.open_stream({.width = 64, .height = 64, .format = PixelFormat::kRgb8});
  const std::uint8_t red[3] = {255, 0, 0};
  for (const auto& shape : {client::Submission::Shape{33, 32, PixelFormat::kNv12},
                            {32, 33, PixelFormat::kNv12},
                            {33, 32, PixelFormat::kYuyv},
                            {65, 64, PixelFormat::kRgb8},
                            {0, 4, PixelFormat::kGray8},
                            {8, 8, PixelFormat::kRgb8, 23}}) {
    INFO(shape.width << " x " << shape.height);
    const auto result = send(stream, PixelFormat::kRgb8, 64 * 64, red, {.shape = shape});
    REQUIRE(result.error);
    CHECK(result.error->code() == client::ErrorCode::kInvalidArgument);
  }
  // And the stream goes on.
  const auto result = send(stream, PixelFormat::kRgb8, 64 * 64, red);
  if (result.error) FAIL(result.error->what());
  CHECK(result.top.at(0).class_index == 0);
}

TEST_CASE("eight applications at 60 frames a second each lose no frame, and each has its own attainment") {
  const ColoursService service;
  std::vector<std::unique_ptr<LoadClient>> clients;
  const client::Contract contract{.latency_budget_us = 500'000, .period_us = 16'667};
  for (int i = 0; i < 8; ++i)
    clients.push_back(
        std::make_unique<LoadClient>(service.daemon->bus(), "camera " + std::to_string(i), 60, contract));
  std::this_thread::sleep_for(3s);
  for (const auto& client : clients) {
    const auto info = client->info();
    CHECK(info.frames > 0);
    CHECK(info.attainment >= 0);
    CHECK(info.attainment <= 1);
    CHECK(info.missed_deadlines <= info.frames);
  }
  for (const auto& client : clients) {
    client->stop();
    INFO(client->trouble);
    CHECK(client->trouble.empty());
    CHECK(client->answered == client->submitted);
    CHECK(client->crossed + client->cancelled + client->failed + client->lost == 0);
    CHECK(client->info().frames == client->submitted);
  }
}
