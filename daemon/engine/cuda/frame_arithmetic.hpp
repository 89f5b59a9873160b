// SPDX-License-Identifier: Apache-2.0
// One output pixel of preprocessing, for a GPU thread or a loop on the CPU: the same taps and the same order
// of sums as engine/preprocess.cpp, which it must agree with. Stateless.
#pragma once

#include "daemon/engine/cuda/arithmetic.hpp"
#include "daemon/engine/image.hpp"

namespace dofa::engine::cuda {

/// Taps of one axis, as in ResampleAxis.
struct AxisArgs {
  const std::uint32_t* first;
  const float* weights;
  std::uint32_t taps;
};

/// A frame of which only the rows from first_row on were copied. A thread: one pixel of the crop, all three
/// planes.
struct FrameArgs {
  const std::uint8_t* pixels;  ///< row first_row
  const std::uint8_t* chroma;  ///< nv12: the chroma row of first_row
  AxisArgs columns, rows;
  float* out;  ///< planes red, green, blue, side x side each
  float gain[3], shift[3];
  std::uint32_t first_row, stride, side;
  PixelFormat format;
  DOFA_HD int threads() const { return static_cast<int>(side * side); }
};

struct Colour {
  float red, green, blue;
};

/// BT.601 limited range, as cameras deliver nv12 and yuyv.
DOFA_HD Colour from_yuv(std::uint8_t y, std::uint8_t u, std::uint8_t v) {
  const float luma = 1.164383F * (static_cast<float>(y) - 16.0F);
  const float cb = static_cast<float>(u) - 128.0F;
  const float cr = static_cast<float>(v) - 128.0F;
  return {clamp(luma + 1.596027F * cr, 0.0F, 255.0F),
          clamp(luma - 0.391762F * cb - 0.812968F * cr, 0.0F, 255.0F),
          clamp(luma + 2.017232F * cb, 0.0F, 255.0F)};
}

DOFA_HD Colour read_pixel(const FrameArgs& a, std::uint32_t y, std::uint32_t x) {
  const std::uint8_t* row = a.pixels + static_cast<std::uint64_t>(y - a.first_row) * a.stride;
  switch (a.format) {
    case PixelFormat::kRgb8:
      return {static_cast<float>(row[3 * x]), static_cast<float>(row[3 * x + 1]),
              static_cast<float>(row[3 * x + 2])};
    case PixelFormat::kBgr8:
      return {static_cast<float>(row[3 * x + 2]), static_cast<float>(row[3 * x + 1]),
              static_cast<float>(row[3 * x])};
    case PixelFormat::kNv12: {
      const std::uint8_t* pair =
          a.chroma + static_cast<std::uint64_t>(y / 2 - a.first_row / 2) * a.stride + (x & ~1U);
      return from_yuv(row[x], pair[0], pair[1]);
    }
    case PixelFormat::kYuyv: {
      const std::uint8_t* pair = row + 2 * (x & ~1U);
      return from_yuv(pair[(x & 1U) * 2], pair[1], pair[3]);
    }
    default: {
      const float grey = static_cast<float>(row[x]);
      return {grey, grey, grey};
    }
  }
}

DOFA_HD void frame_thread(const FrameArgs& a, int thread) {
  const std::uint32_t x = static_cast<std::uint32_t>(thread) % a.side,
                      y = static_cast<std::uint32_t>(thread) / a.side;
  const float* across = a.columns.weights + static_cast<std::uint64_t>(x) * a.columns.taps;
  const float* down = a.rows.weights + static_cast<std::uint64_t>(y) * a.rows.taps;
  Colour sum{a.shift[0], a.shift[1], a.shift[2]};
  for (std::uint32_t j = 0; j < a.rows.taps; ++j) {
    const float weight = down[j];
    if (weight == 0.0F) continue;  // taps beyond the filter
    Colour row{0, 0, 0};
    for (std::uint32_t i = 0; i < a.columns.taps; ++i) {
      const Colour pixel = read_pixel(a, a.rows.first[y] + j, a.columns.first[x] + i);
      row.red += across[i] * pixel.red;
      row.green += across[i] * pixel.green;
      row.blue += across[i] * pixel.blue;
    }
    sum.red += weight * a.gain[0] * row.red;
    sum.green += weight * a.gain[1] * row.green;
    sum.blue += weight * a.gain[2] * row.blue;
  }
  const std::uint64_t plane = static_cast<std::uint64_t>(a.side) * a.side;
  a.out[thread] = sum.red;
  a.out[plane + thread] = sum.green;
  a.out[2 * plane + thread] = sum.blue;
}

}  // namespace dofa::engine::cuda
