// SPDX-License-Identifier: Apache-2.0
// The preprocessing kernel's thread function in a loop against engine/preprocess, in every format that is
// resampled.
#include "daemon/engine/cuda/frame_arithmetic.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "daemon/engine/cuda/frame_rows.hpp"
#include "daemon/engine/preprocess.hpp"
#include "tests/support/catch.hpp"

namespace dofa::engine::cuda {
namespace {

std::vector<std::byte> noise(std::size_t count) {
  std::vector<std::byte> bytes(count);
  std::uint32_t state = 12345;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>((state = state * 1664525U + 1013904223U) >> 24);
  return bytes;
}

std::vector<float> by_threads(const ImageView& image, std::uint32_t side,
                              const config::Preprocessing& recipe) {
  ResampleAxis columns, rows;
  plan_crop(recipe, image.layout.width, image.layout.height, side, columns, rows);
  const std::uint32_t first = rows.first.front();
  const FrameRows needed = frame_rows(image.layout, first, rows.first.back() + rows.taps - first);
  std::vector<std::byte> block(needed.bytes());
  copy_rows(image, needed, block.data());
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(block.data());
  std::vector<float> out(3ULL * side * side);
  FrameArgs args{bytes,
                 bytes + needed.chroma_at,
                 {columns.first.data(), columns.weights.data(), columns.taps},
                 {rows.first.data(), rows.weights.data(), rows.taps},
                 out.data(),
                 {},
                 {},
                 first,
                 image.layout.stride,
                 side,
                 image.layout.format};
  for (std::size_t c = 0; c < 3; ++c) {
    args.gain[c] = 1.0F / (255.0F * recipe.std[c]);
    args.shift[c] = -recipe.mean[c] / recipe.std[c];
  }
  for (int thread = 0; thread < args.threads(); ++thread) frame_thread(args, thread);
  return out;
}

}  // namespace

TEST_CASE("the kernel's pixels are those of the CPU's preprocessing, in every format and size") {
  const PixelFormat format = GENERATE(PixelFormat::kRgb8, PixelFormat::kBgr8, PixelFormat::kGray8,
                                      PixelFormat::kNv12, PixelFormat::kYuyv);
  INFO(pixel_format_name(format));
  const config::Preprocessing recipe;  // ImageNet's
  constexpr std::uint32_t kSizes[][3] = {{64, 48, 32},   {48, 64, 32}, {20, 18, 33},
                                         {200, 150, 24}, {96, 32, 40}, {38, 150, 17}};
  for (const auto& [width, height, side] : kSizes) {
    INFO(width << " x " << height << " to " << side);
    ImageLayout layout{format, width, height, static_cast<std::uint32_t>(row_bytes(format, width)) + 5};
    const auto needed = check_layout(layout);
    REQUIRE(needed.ok());
    const auto bytes = noise(*needed);
    const ImageView image{bytes.data(), layout};
    std::vector<float> expected(3ULL * side * side);
    Preprocessor preprocessor(recipe);
    REQUIRE(preprocessor.run(image, side, expected).ok());
    const auto got = by_threads(image, side, recipe);
    float largest = 0;
    for (std::size_t i = 0; i < got.size(); ++i) largest = std::max(largest, std::abs(got[i] - expected[i]));
    CHECK(largest < 2e-5F);
  }
}

TEST_CASE("no more of a frame is copied than it holds") {
  for (const PixelFormat format :
       {PixelFormat::kRgb8, PixelFormat::kGray8, PixelFormat::kNv12, PixelFormat::kYuyv}) {
    ImageLayout layout{format, 64, 48, static_cast<std::uint32_t>(row_bytes(format, 64)) + 9};
    const auto whole = check_layout(layout);
    REQUIRE(whole.ok());
    for (std::uint32_t first = 0; first < 48; ++first) {
      const FrameRows rows = frame_rows(layout, first, 48 - first);
      CHECK(rows.pixels_from + rows.pixels_bytes <= *whole);
      CHECK(rows.chroma_from + rows.chroma_bytes <= *whole);
      CHECK(rows.bytes() <= frame_rows(layout, 0, 48).bytes());
    }
  }
}

}  // namespace dofa::engine::cuda
