// SPDX-License-Identifier: Apache-2.0
// A frame's pixels as the engine sees them: borrowed memory with a checked layout. The memory may be shared
// with a client that writes to it at any time: contents are never trusted, and only bounds computed here are
// used. Values only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/base.hpp"

namespace dofa::engine {

enum class PixelFormat : std::uint8_t { kRgb8, kBgr8, kGray8, kNv12, kYuyv, kFloat32Nchw };
inline constexpr std::uint32_t kMaxImageSide = 16384;  ///< pixels; keeps every product below 2^53

/// `rgb8 bgr8 gray8 nv12 yuyv float32-nchw`; kInvalidArgument for anything else.
Result<PixelFormat> parse_pixel_format(std::string_view name);
std::string_view pixel_format_name(PixelFormat format);

/// Layout of one frame. `stride` is bytes from row to row (of each plane; nv12's chroma plane follows the
/// luma plane at the same stride). float32-nchw is 3 planes of already normalised values, rows without
/// padding.
struct ImageLayout {
  PixelFormat format = PixelFormat::kRgb8;
  std::uint32_t width = 0;   ///< pixels, 1..kMaxImageSide; even for nv12 and yuyv
  std::uint32_t height = 0;  ///< pixels, 1..kMaxImageSide; even for nv12
  std::uint32_t stride = 0;  ///< bytes; at least a row's bytes
  bool operator==(const ImageLayout&) const = default;
};

/// Bytes of one row without padding.
std::uint64_t row_bytes(PixelFormat format, std::uint32_t width);
/// Bytes a frame of this layout occupies, or kInvalidArgument with what is wrong (zero or huge sides, odd
/// sides where the format needs even ones, stride below a row). `stride` 0 stands for "no padding" and is
/// filled in.
Result<std::uint64_t> check_layout(ImageLayout& layout);

/// A frame: layout that check_layout() accepted, and at least as many readable bytes at `data` as it
/// returned.
struct ImageView {
  const std::byte* data = nullptr;
  ImageLayout layout;
};

}  // namespace dofa::engine
