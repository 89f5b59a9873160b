// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/image.hpp"

#include <limits>

#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::engine;

namespace {

std::uint64_t bytes_of(ImageLayout layout) {
  const auto bytes = check_layout(layout);
  if (!bytes) FAIL(bytes.error().message);
  return *bytes;
}

bool refused(ImageLayout layout) {
  const auto bytes = check_layout(layout);
  return !bytes && bytes.error().code == ErrorCode::kInvalidArgument;
}

}  // namespace

TEST_CASE("a layout knows how many bytes it spans, the last row without its padding") {
  CHECK(bytes_of({PixelFormat::kRgb8, 10, 4, 0}) == 120);
  CHECK(bytes_of({PixelFormat::kBgr8, 10, 4, 32}) == 3 * 32 + 30);
  CHECK(bytes_of({PixelFormat::kGray8, 7, 3, 8}) == 2 * 8 + 7);
  CHECK(bytes_of({PixelFormat::kNv12, 8, 6, 0}) == 8 * 6 * 3 / 2);
  CHECK(bytes_of({PixelFormat::kYuyv, 8, 5, 0}) == 8 * 5 * 2);
  CHECK(bytes_of({PixelFormat::kFloat32Nchw, 5, 5, 0}) == 5 * 5 * 3 * 4);
  CHECK(bytes_of({PixelFormat::kRgb8, kMaxImageSide, kMaxImageSide, 0}) ==
        3ULL * kMaxImageSide * kMaxImageSide);
}

TEST_CASE("layouts that make no sense are refused, and nothing overflows") {
  const auto huge = std::numeric_limits<std::uint32_t>::max();
  for (const auto format : {PixelFormat::kRgb8, PixelFormat::kBgr8, PixelFormat::kGray8, PixelFormat::kNv12,
                            PixelFormat::kYuyv, PixelFormat::kFloat32Nchw}) {
    CHECK(refused({format, 0, 8, 0}));
    CHECK(refused({format, 8, 0, 0}));
    CHECK(refused({format, huge, 8, 0}));
    CHECK(refused({format, 8, huge, 0}));
    CHECK(refused({format, 8, 8, 1}));
  }
  CHECK(refused({PixelFormat::kNv12, 7, 8, 0}));
  CHECK(refused({PixelFormat::kNv12, 8, 7, 0}));
  CHECK(refused({PixelFormat::kYuyv, 7, 8, 0}));
  CHECK(refused({PixelFormat::kFloat32Nchw, 8, 8, 40}));
  CHECK(bytes_of({PixelFormat::kFloat32Nchw, kMaxImageSide, kMaxImageSide, 0}) ==
        12ULL * kMaxImageSide * kMaxImageSide);
  CHECK(bytes_of({PixelFormat::kRgb8, 1, kMaxImageSide, huge}) == (kMaxImageSide - 1ULL) * huge + 3);
}

TEST_CASE("format names go both ways") {
  for (const char* name : {"rgb8", "bgr8", "gray8", "nv12", "yuyv", "float32-nchw"}) {
    const auto format = parse_pixel_format(name);
    REQUIRE(format.ok());
    CHECK(pixel_format_name(*format) == name);
  }
  CHECK_FALSE(parse_pixel_format("RGB8").ok());
}
