// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution of one block of 16 channels at a time: a tile of output pixels of one row stays in
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

inline constexpr int kRowTile = 8;  ///< output pixels in a tile

/// The rows of the input that one output row needs: those in the padding are left out.
struct RowSpan {
  const float* row[7];  ///< row[i] is kernel row first + i
  int first = 0;
  int count = 0;
};

/// sum[t] += one kernel row. `x` is the first input pixel of the tile, `w` the kernel row's weights.
template <int kKernel, int kStride, int kTile>
HWY_INLINE void depthwise_row(const float* HWY_RESTRICT x, const float* HWY_RESTRICT w, Vec (&sum)[kTile]) {
  Vec tap[kKernel];
#pragma GCC unroll 8
  for (int k = 0; k < kKernel; ++k) tap[k] = load(w + k * kBlock);
#pragma GCC unroll 32
  for (int i = 0; i < (kTile - 1) * kStride + kKernel; ++i) {
    const Vec value = load(x + i * kBlock);
#pragma GCC unroll 8
    for (int k = 0; k < kKernel; ++k) {
      const int t = i - k;  // pixel t reads input t * stride + k
      if (t >= 0 && t % kStride == 0 && t / kStride < kTile)
        sum[t / kStride] = hn::MulAdd(value, tap[k], sum[t / kStride]);
    }
  }
}

template <bool kHardSwish, int kKernel, int kStride, int kTile>
HWY_NOINLINE void depthwise_tile(const DepthwiseArgs& a, const RowSpan& rows, int block, int column,
                                 float* out) {
  const Finish<kHardSwish> finish(a.epilogue);
#pragma GCC unroll 1
  for (int lane = 0; lane < kBlock; lane += kLanes) {
    const float* w =
        a.weights + (static_cast<std::size_t>(block) * kKernel + rows.first) * kKernel * kBlock + lane;
    const std::size_t x = static_cast<std::size_t>(column * kStride) * kBlock + lane;
    Vec sum[kTile];
#pragma GCC unroll 8
    for (int t = 0; t < kTile; ++t) sum[t] = zero();
#pragma GCC unroll 1
    for (int i = 0; i < rows.count; ++i)
      depthwise_row<kKernel, kStride>(rows.row[i] + x, w + i * kKernel * kBlock, sum);
    const Vec scale = load(a.epilogue.scale + block * kBlock + lane);
    const Vec bias = load(a.epilogue.bias + block * kBlock + lane);
    Vec total = zero();
#pragma GCC unroll 8
    for (int t = 0; t < kTile; ++t) {
      const Vec y = finish(sum[t], scale, bias);
      store(y, out + t * kBlock + lane);
      total = hn::Add(total, y);
    }
    if (a.pool != nullptr) {
      float* pool = a.pool + block * kBlock + lane;
      store(hn::Add(load(pool), total), pool);
    }
  }
}

template <bool kHardSwish, int kKernel, int kStride, int kTile = kRowTile>
HWY_INLINE void depthwise_tiles(const DepthwiseArgs& a, const RowSpan& rows, int block, int column, int count,
                                float* out) {
  if constexpr (kTile > 1) {
    if (count < kTile)
      return depthwise_tiles<kHardSwish, kKernel, kStride, kTile - 1>(a, rows, block, column, count, out);
  }
  depthwise_tile<kHardSwish, kKernel, kStride, kTile>(a, rows, block, column, out);
}

template <bool kHardSwish, int kKernel, int kStride>
void depthwise_planes(const DepthwiseArgs& a) {
  const int tiles = (a.width + kRowTile - 1) / kRowTile;
  for (int block = 0; block < a.blocks; ++block) {
    const float* ring = a.ring + block * a.ring_block;
    float* out = a.out + block * a.out_block;
    for (int y = a.first_row; y < a.last_row; ++y) {
      RowSpan rows;
      const int top = y * kStride - a.pad_before;
      rows.first = top < 0 ? -top : 0;
      for (int k = rows.first; k < kKernel && top + k < a.in_height; ++k)
        rows.row[rows.count++] = ring + static_cast<std::size_t>((top + k) % a.ring_rows) * a.ring_row;
      int column = 0;
      for (int t = 0; t < tiles; ++t) {
        const int count = (a.width - column + tiles - t - 1) / (tiles - t);
        depthwise_tiles<kHardSwish, kKernel, kStride>(a, rows, block, column, count, out);
        out += count * kBlock;
        column += count;
      }
    }
  }
}

template <bool kHardSwish>
void depthwise_any(const DepthwiseArgs& a) {
  if (a.kernel == 3)
    return a.stride == 1 ? depthwise_planes<kHardSwish, 3, 1>(a) : depthwise_planes<kHardSwish, 3, 2>(a);
  if (a.kernel == 5)
    return a.stride == 1 ? depthwise_planes<kHardSwish, 5, 1>(a) : depthwise_planes<kHardSwish, 5, 2>(a);
  return a.stride == 1 ? depthwise_planes<kHardSwish, 7, 1>(a) : depthwise_planes<kHardSwish, 7, 2>(a);
}

void depthwise(const DepthwiseArgs& a) {
  return a.epilogue.hard_swish ? depthwise_any<true>(a) : depthwise_any<false>(a);
}

}  // namespace dofa::engine::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // DOFA_KERNELS_DEPTHWISE_INL_HPP
