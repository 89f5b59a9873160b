// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution of one vector of channels at a time: a tile of output pixels of one row stays in
// registers, each input pixel is loaded once per kernel row. Compiled once per SIMD target.
#if defined(DOFA_KERNELS_DEPTHWISE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef DOFA_KERNELS_DEPTHWISE_INL_HPP
#undef DOFA_KERNELS_DEPTHWISE_INL_HPP
#else
#define DOFA_KERNELS_DEPTHWISE_INL_HPP
#endif

#include "daemon/engine/kernels/common-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace dofa::engine::kernels::HWY_NAMESPACE {

inline constexpr int kRowTile = kSums < 12 ? 3 : kSums < 28 ? 8 : 14;  ///< output pixels in a tile

/// The rows of the input that one output row needs: those in the padding are left out.
struct RowSpan {
  const float* row[7];  ///< row[i] is kernel row first + i
  int first = 0;
  int count = 0;
};

/// `slot` is that of input row y * stride - pad_before, or of row 0 where that lies above the plane.
HWY_INLINE RowSpan row_span(const DepthwiseArgs& a, const float* ring, int top, int slot) {
  RowSpan rows;
  rows.first = top < 0 ? -top : 0;
  for (int k = rows.first; k < a.kernel && top + k < a.in_height; ++k) {
    rows.row[rows.count++] = ring + static_cast<std::size_t>(slot) * a.ring_row;
    if (++slot == a.ring_rows) slot = 0;
  }
  return rows;
}

/// sum[t] += one kernel row. `x` is the first input pixel of the tile, `w` the kernel row's weights.
template <int kKernel, int kStride, int kTile>
HWY_INLINE void depthwise_row(const float* HWY_RESTRICT x, const float* HWY_RESTRICT w, Vec (&sum)[kTile]) {
  Vec tap[kKernel];
#pragma GCC unroll 8
  for (int k = 0; k < kKernel; ++k) tap[k] = load(w + k * kBlock);
#pragma GCC unroll 64
  for (int i = 0; i < (kTile - 1) * kStride + kKernel; ++i) {
    const Vec value = in_register(load(x + i * kBlock));
#pragma GCC unroll 8
    for (int k = 0; k < kKernel; ++k) {
      const int t = i - k;  // pixel t reads input t * stride + k
      if (t >= 0 && t % kStride == 0 && t / kStride < kTile)
        sum[t / kStride] = hn::MulAdd(value, tap[k], sum[t / kStride]);
    }
  }
}

/// Applies the epilogue to a tile, stores it and gives its sum over the pixels.
template <bool kHardSwish, int kTile>
HWY_INLINE Vec depthwise_finish(const Epilogue& e, std::size_t channel, const Vec (&sum)[kTile],
                                float* HWY_RESTRICT out) {
  const Finish<kHardSwish> finish(e);
  const Vec scale = load(e.scale + channel);
  const Vec bias = load(e.bias + channel);
  Vec total = zero();
#pragma GCC unroll 16
  for (int t = 0; t < kTile; ++t) {
    const Vec y = finish(sum[t], scale, bias);
    store(y, out + t * kBlock);
    total = hn::Add(total, y);
  }
  return total;
}

/// `tiles` tiles of kTile columns from `column` on, in all rows, of one vector of channels.
template <int kKernel, int kStride, int kTile>
HWY_NOINLINE void depthwise_columns(const DepthwiseArgs& a, std::size_t channel, int column, int tiles) {
  const std::size_t block = channel / kBlock, lane = channel % kBlock;
  const float* ring =
      a.ring + block * a.ring_block + static_cast<std::size_t>(column * kStride) * kBlock + lane;
  const float* weights = a.weights + block * kKernel * kKernel * kBlock + lane;
  float* line = a.out + block * a.out_block + static_cast<std::size_t>(column) * kBlock + lane;
  Vec total = zero();
  int top = a.first_row * kStride - a.pad_before;
  int slot = top > 0 ? top % a.ring_rows : 0;
  for (int y = a.first_row; y < a.last_row; ++y) {
    const RowSpan rows = row_span(a, ring, top, slot);
    const float* first = weights + static_cast<std::size_t>(rows.first) * kKernel * kBlock;
    float* out = line;
    for (std::size_t x = 0; x < static_cast<std::size_t>(tiles) * kTile * kStride * kBlock;
         x += kTile * kStride * kBlock) {
      Vec sum[kTile];
#pragma GCC unroll 16
      for (int t = 0; t < kTile; ++t) sum[t] = zero();
      const float* w = first;
      if (kKernel == 3 && rows.count == 3) {
        // So few rows that the loop itself would show.
#pragma GCC unroll 3
        for (int i = 0; i < 3; ++i)
          depthwise_row<kKernel, kStride>(rows.row[i] + x, w + i * kKernel * kBlock, sum);
      } else {
#pragma GCC unroll 1
        for (int i = 0; i < rows.count; ++i, w += kKernel * kBlock)
          depthwise_row<kKernel, kStride>(rows.row[i] + x, w, sum);
      }
      total = hn::Add(total, a.epilogue.hard_swish ? depthwise_finish<true>(a.epilogue, channel, sum, out)
                                                   : depthwise_finish<false>(a.epilogue, channel, sum, out));
      out += kTile * kBlock;
    }
    line += static_cast<std::size_t>(a.width) * kBlock;
    top += kStride;
    slot += top <= 0 ? 0 : HWY_MIN(top, kStride);
    if (slot >= a.ring_rows) slot -= a.ring_rows;
  }
  if (a.pool != nullptr) store(hn::Add(load(a.pool + channel), total), a.pool + channel);
}

template <int kKernel, int kStride, int kTile = kRowTile>
HWY_INLINE void depthwise_width(const DepthwiseArgs& a, std::size_t channel, int column, int tiles,
                                int width) {
  if constexpr (kTile > 1) {
    if (width < kTile) return depthwise_width<kKernel, kStride, kTile - 1>(a, channel, column, tiles, width);
  }
  depthwise_columns<kKernel, kStride, kTile>(a, channel, column, tiles);
}

template <int kKernel, int kStride>
void depthwise_planes(const DepthwiseArgs& a) {
  // Columns in tiles of even width: first `wide` tiles of one column more, then the rest.
  const int tiles = (a.width + kRowTile - 1) / kRowTile;
  const int narrow_width = a.width / tiles;
  const int wide = a.width % tiles;
  for (int channel = 0; channel < a.blocks * kBlock; channel += kLanes) {
    if (wide > 0) depthwise_width<kKernel, kStride>(a, channel, 0, wide, narrow_width + 1);
    depthwise_width<kKernel, kStride>(a, channel, wide * (narrow_width + 1), tiles - wide, narrow_width);
  }
}

void depthwise(const DepthwiseArgs& a) {
  if (a.kernel == 3) return a.stride == 1 ? depthwise_planes<3, 1>(a) : depthwise_planes<3, 2>(a);
  if (a.kernel == 5) return a.stride == 1 ? depthwise_planes<5, 1>(a) : depthwise_planes<5, 2>(a);
  return a.stride == 1 ? depthwise_planes<7, 1>(a) : depthwise_planes<7, 2>(a);
}

}  // namespace dofa::engine::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // DOFA_KERNELS_DEPTHWISE_INL_HPP
