// SPDX-License-Identifier: Apache-2.0
#include "daemon/stream/frame_header.hpp"

#include <string>

#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::stream;

namespace {

dofa_frame frame_of(std::uint32_t format, std::uint32_t width, std::uint32_t height,
                    std::uint32_t stride = 0) {
  dofa_frame frame{};
  frame.format = format;
  frame.width = width;
  frame.height = height;
  frame.stride = stride;
  return frame;
}

void require_refusal(const dofa_frame& frame, std::uint64_t room, const std::string& named) {
  const auto checked = check_frame_header(frame, room);
  REQUIRE_FALSE(checked.ok());
  CHECK(checked.error().code == ErrorCode::kInvalidArgument);
  INFO(checked.error().message);
  CHECK(checked.error().message.find(named) != std::string::npos);
}

}  // namespace

TEST_CASE("a header is copied whole") {
  dofa_frame frame = frame_of(3, 640, 480, 704);
  frame.sequence = 0x0123456789abcdef;
  frame.deadline_us = 77;
  frame.reserved[31] = 9;
  const dofa_frame copy = copy_frame_header(frame);
  CHECK(copy.sequence == frame.sequence);
  CHECK(copy.deadline_us == 77);
  CHECK(copy.format == 3);
  CHECK(copy.width == 640);
  CHECK(copy.height == 480);
  CHECK(copy.stride == 704);
  CHECK(copy.reserved[31] == 9);
}

TEST_CASE("every pixel format passes at exactly its size and not with a byte less of room") {
  struct Case {
    std::uint32_t format, width, height, stride;
    std::uint64_t bytes;
  };
  const Case one =
      GENERATE(Case{DOFA_FORMAT_RGB8, 31, 7, 0, 31 * 3 * 7}, Case{DOFA_FORMAT_BGR8, 31, 7, 96, 96 * 6 + 93},
               Case{DOFA_FORMAT_GRAY8, 31, 7, 0, 31 * 7}, Case{DOFA_FORMAT_NV12, 30, 6, 0, 30 * 9},
               Case{DOFA_FORMAT_NV12, 30, 6, 32, 32 * 8 + 30}, Case{DOFA_FORMAT_YUYV, 30, 7, 0, 60 * 7},
               Case{DOFA_FORMAT_FLOAT32_NCHW, 16, 16, 0, 16 * 16 * 3 * 4});
  INFO(one.format);
  const dofa_frame frame = frame_of(one.format, one.width, one.height, one.stride);
  const auto checked = check_frame_header(frame, one.bytes);
  REQUIRE(checked.ok());
  CHECK(checked->layout.width == one.width);
  CHECK(checked->layout.height == one.height);
  require_refusal(frame, one.bytes - 1, "its slot has");
}

TEST_CASE("headers that make no sense are refused by name") {
  constexpr std::uint64_t kRoom = 1ULL << 40;
  require_refusal(frame_of(6, 16, 16), kRoom, "pixel format 6");
  require_refusal(frame_of(~0U, 16, 16), kRoom, "pixel format");
  require_refusal(frame_of(DOFA_FORMAT_RGB8, 0, 16), kRoom, "");
  require_refusal(frame_of(DOFA_FORMAT_RGB8, 16, 16385), kRoom, "");
  require_refusal(frame_of(DOFA_FORMAT_RGB8, ~0U, ~0U), kRoom, "");
  require_refusal(frame_of(DOFA_FORMAT_RGB8, 16, 16, 47), kRoom, "stride 47");
  require_refusal(frame_of(DOFA_FORMAT_NV12, 15, 16), kRoom, "even");
  require_refusal(frame_of(DOFA_FORMAT_NV12, 16, 15), kRoom, "even");
  require_refusal(frame_of(DOFA_FORMAT_YUYV, 15, 16), kRoom, "even");
  require_refusal(frame_of(DOFA_FORMAT_FLOAT32_NCHW, 16, 16, 68), kRoom, "float32-nchw");
  require_refusal(frame_of(DOFA_FORMAT_GRAY8, 16384, 16384, ~0U), 1ULL << 32, "its slot has");
  dofa_frame late = frame_of(DOFA_FORMAT_GRAY8, 16, 16);
  late.deadline_us = ~0ULL;
  require_refusal(late, kRoom, "deadline");
  dofa_frame future = frame_of(DOFA_FORMAT_GRAY8, 16, 16);
  future.reserved[0] = 1;
  require_refusal(future, kRoom, "reserved");
}
