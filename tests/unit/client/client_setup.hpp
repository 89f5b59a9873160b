// SPDX-License-Identifier: Apache-2.0
// What the tests of libdofa-client share: a client and a fake service on a private bus, a picture to send,
// and waiting with patience. Checks with Catch2. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <dofa/client.hpp>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/deadline.hpp"
#include "tests/support/private_bus.hpp"
#include "tests/unit/client/fake_service.hpp"

namespace dofa::test {

constexpr auto kPatience = std::chrono::seconds(10);

/// A client of a service that can be reset() as by a crash, and started again.
struct Setup {
  Deadline deadline;
  PrivateBus bus;
  std::unique_ptr<FakeService> service = std::make_unique<FakeService>(bus.address());
  client::Client client = client::Client::connect({.bus = bus.address(), .timeout = kPatience});

  void start() { service = std::make_unique<FakeService>(bus.address()); }
};

/// A grey image of w x h whose first byte can be told apart: it comes back as the class.
struct Picture {
  explicit Picture(unsigned char first, std::uint32_t w = 4, std::uint32_t h = 2)
      : pixels(std::size_t{w} * h, std::byte{0x55}), width(w), height(h) {
    pixels.front() = std::byte{first};
  }
  [[nodiscard]] client::Frame frame() const {
    return {.pixels = pixels, .width = width, .height = height, .format = client::PixelFormat::kGray8};
  }
  std::vector<std::byte> pixels;
  std::uint32_t width;
  std::uint32_t height;
};

/// Options of streams that take such pictures.
constexpr client::StreamOptions kSmall{.width = 4, .height = 2, .format = client::PixelFormat::kGray8};

/// Such a picture through a stream; fails the test where no slot is free.
inline std::uint64_t send(client::Stream& stream, std::uint8_t first,
                          const client::Submission& submission = {}) {
  auto slot = stream.try_acquire();
  REQUIRE(slot.has_value());
  slot->pixels()[0] = std::byte{first};
  return stream.submit(std::move(*slot), submission);
}

inline client::StreamResult receive(client::Stream& stream) {
  auto result = stream.wait(kPatience);
  REQUIRE(result.has_value());
  return std::move(*result);
}

/// What a call throws; fails the test where it throws nothing.
template <class Call>
client::ErrorCode code_of(Call&& call) {
  try {
    call();
  } catch (const client::Error& error) {
    INFO(error.what());
    CHECK(std::string(error.what()).find('\n') == std::string::npos);
    return error.code();
  }
  FAIL("nothing was thrown");
  return client::ErrorCode::kFailed;
}

template <class T>
bool ready(const std::future<T>& future) {
  return future.wait_for(kPatience) == std::future_status::ready;
}

}  // namespace dofa::test
