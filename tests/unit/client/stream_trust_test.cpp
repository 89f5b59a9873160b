// SPDX-License-Identifier: Apache-2.0
// What libdofa-client takes from a ring, and what it does not trust the service with.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "proto/frame_ring.h"
#include "tests/unit/client/client_setup.hpp"

using namespace dofa::client;
using namespace dofa::test;

TEST_CASE("a head that changes after the stream was opened changes nothing") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  auto stream = session.open_stream(kSmall);
  setup.service->stream()->scribble_head();
  for (std::uint8_t i = 0; i < 6; ++i) {
    send(stream, i);
    CHECK(receive(stream).top[0].class_index == i);
  }
}

TEST_CASE("statuses become errors, an unknown one a failure, and only what the ring has room for is read") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  auto stream =
      session.open_stream({.width = 4, .height = 2, .format = PixelFormat::kGray8, .raw_output = true});
  for (const auto& [status, code] :
       std::map<std::uint32_t, ErrorCode>{{DOFA_STATUS_MISSED_DEADLINE, ErrorCode::kMissedDeadline},
                                          {DOFA_STATUS_RESOURCE_EXHAUSTED, ErrorCode::kResourceExhausted},
                                          {DOFA_STATUS_INVALID_ARGUMENT, ErrorCode::kInvalidArgument},
                                          {99, ErrorCode::kFailed}}) {
    setup.service->stream()->alter([status = status](dofa_result& result) {
      result.status = status;
      std::fill_n(result.message, sizeof result.message, 'x');  // not even ended
    });
    send(stream, 1);
    const auto result = receive(stream);
    REQUIRE(result.error.has_value());
    CHECK(result.error->code() == code);
    CHECK(std::string(result.error->what()) == std::string(128, 'x'));
    CHECK(result.top.empty());
  }
  setup.service->stream()->alter([](dofa_result& result) {
    result.sequence = 12'345;
    result.top_count = 0xFFFFFFFF;
    result.raw_count = 0xFFFFFFFF;
    std::fill_n(result.processor, sizeof result.processor, 'y');
  });
  const auto sequence = send(stream, 1);
  const auto result = receive(stream);
  CHECK(result.sequence == sequence);
  CHECK(result.top.size() == 5);
  CHECK(result.raw.size() == FakeStream::kRawFloats);
  CHECK(result.processor == std::string(16, 'y'));
}

TEST_CASE("a ring whose head makes no sense is refused") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  const std::vector<FakeStream::Spoil> flaws{
      [](dofa_ring& head) { head.magic ^= 1; },
      [](dofa_ring& head) { head.version = 2; },
      [](dofa_ring& head) { head.version = 0; },
      [](dofa_ring& head) { head.refused = 0; },  // only not sealed
      [](dofa_ring& head) { head.bytes += 1; },
      [](dofa_ring& head) { head.slots = 0; },
      [](dofa_ring& head) { head.slots += 1; },
      [](dofa_ring& head) { head.slots = 0xFFFFFFFF; },
      [](dofa_ring& head) { head.slot_bytes = ~std::uint64_t{0} / 4 + 2; },
      [](dofa_ring& head) { head.slot_bytes = 0; },
      [](dofa_ring& head) { head.slot_bytes -= 4; },
      [](dofa_ring& head) { head.slots_offset = 8; },
      [](dofa_ring& head) { head.slots_offset += 8; },
      [](dofa_ring& head) { head.pixels_offset = 0; },
      [](dofa_ring& head) { head.pixels_bytes = head.slot_bytes; },
      [](dofa_ring& head) { head.result_offset = head.slot_bytes - 8; },
      [](dofa_ring& head) { head.result_offset += 1; },
      [](dofa_ring& head) { head.top_k = 101; },
      [](dofa_ring& head) { head.top_offset = ~std::uint64_t{7}; },
      [](dofa_ring& head) { head.raw_floats = 0x40000000; },
      [](dofa_ring& head) { head.raw_offset = head.slot_bytes + 8; }};
  for (std::size_t i = 0; i < flaws.size(); ++i) {
    INFO(i);
    setup.service->spoil_rings(flaws[i]);
    CHECK(code_of([&] { (void)session.open_stream(kSmall); }) == ErrorCode::kFailed);
  }
  setup.service->spoil_rings({});
  auto stream = session.open_stream(kSmall);
  send(stream, 3);
  CHECK(receive(stream).top[0].class_index == 3);
}
