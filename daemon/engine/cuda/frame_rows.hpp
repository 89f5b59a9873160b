// SPDX-License-Identifier: Apache-2.0
// Which bytes of a frame its crop needs, so that no others are copied to the GPU. Pure; std only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "daemon/engine/image.hpp"

namespace dofa::engine::cuda {

/// The needed rows as one block: pixels from its start, nv12's chroma from `chroma_at` on.
struct FrameRows {
  std::size_t pixels_from = 0, pixels_bytes = 0;  ///< of the frame
  std::size_t chroma_from = 0, chroma_bytes = 0;  ///< likewise; no bytes but for nv12
  std::size_t chroma_at = 0;                      ///< of the block
  [[nodiscard]] std::size_t bytes() const {
    return chroma_bytes == 0 ? pixels_bytes : chroma_at + chroma_bytes;
  }
};

/// Rows first..first + count - 1 of a frame whose layout check_layout() accepted. Not for float32-nchw.
inline FrameRows frame_rows(const ImageLayout& layout, std::uint32_t first, std::uint32_t count) {
  constexpr std::size_t kGap = 256;
  const std::size_t stride = layout.stride;
  // The last row of a frame may end before its stride does.
  const auto bytes_of = [&](std::size_t rows) {
    return (rows - 1) * stride + row_bytes(layout.format, layout.width);
  };
  FrameRows rows{first * stride, bytes_of(count), 0, 0, 0};
  if (layout.format != PixelFormat::kNv12) return rows;
  const std::size_t pair = first / 2, last = (static_cast<std::size_t>(first) + count - 1) / 2;
  rows.chroma_from = (layout.height + pair) * stride;
  rows.chroma_bytes = bytes_of(last - pair + 1);
  rows.chroma_at = (rows.pixels_bytes + kGap - 1) / kGap * kGap;
  return rows;
}

inline void copy_rows(const ImageView& image, const FrameRows& rows, std::byte* block) {
  std::memcpy(block, image.data + rows.pixels_from, rows.pixels_bytes);
  if (rows.chroma_bytes != 0)
    std::memcpy(block + rows.chroma_at, image.data + rows.chroma_from, rows.chroma_bytes);
}

}  // namespace dofa::engine::cuda
