// SPDX-License-Identifier: Apache-2.0
// 1x1 convolution: sums of a tile of pixels x blocks of 16 output channels stay in registers while the input
// channels run by. Compiled once per SIMD target.
#if defined(DOFA_KERNELS_POINTWISE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef DOFA_KERNELS_POINTWISE_INL_HPP
#undef DOFA_KERNELS_POINTWISE_INL_HPP
#else
#define DOFA_KERNELS_POINTWISE_INL_HPP
#endif

#include "daemon/engine/kernels/common-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace dofa::engine::kernels::HWY_NAMESPACE {

inline constexpr int kTileBlocks = kVecs == 1 ? 2 : 1;  ///< blocks of output channels in a tile
inline constexpr int kTilePixels = HWY_MAX(1, kSums / (kTileBlocks * kVecs));  ///< pixels in a tile

/// Where a tile's pixels go: offsets from the output's (or residual's) first pixel.
struct TileOffsets {
  std::size_t at[kTilePixels];
  HWY_INLINE TileOffsets(int first, int count, int width, std::size_t row) {
    std::size_t line = static_cast<std::size_t>(first / width) * row;
    int column = first % width;
    for (int p = 0; p < count; ++p) {
      at[p] = line + static_cast<std::size_t>(column) * kBlock;
      if (++column == width) {
        column = 0;
        line += row;
      }
    }
  }
};

template <bool kHardSwish, int kPixels, int kBlocks>
HWY_INLINE void pointwise_finish(const PointwiseArgs& a, int first, int block,
                                 Vec (&sum)[kPixels][kBlocks * kVecs]) {
  const Finish<kHardSwish> finish(a.epilogue);
  const TileOffsets out(first, kPixels, a.width, a.out_row);
  TileOffsets res = out;
  if (a.residual != nullptr && a.residual_row != a.out_row)
    res = TileOffsets(first, kPixels, a.width, a.residual_row);
#pragma GCC unroll 8
  for (int v = 0; v < kBlocks * kVecs; ++v) {
    const std::size_t ob = static_cast<std::size_t>(block + v / kVecs);
    const std::size_t lane = static_cast<std::size_t>(v % kVecs) * kLanes;
    const Vec scale = load(a.epilogue.scale + ob * kBlock + lane);
    const Vec bias = load(a.epilogue.bias + ob * kBlock + lane);
    if (a.pool != nullptr) {
      float* pool = a.pool + ob * kBlock + lane;
      Vec total = load(pool);
#pragma GCC unroll 32
      for (int p = 0; p < kPixels; ++p) total = hn::Add(total, finish(sum[p][v], scale, bias));
      store(total, pool);
    } else if (a.residual != nullptr) {
      float* to = a.out + ob * a.out_block + lane;
      const float* from = a.residual + ob * a.residual_block + lane;
#pragma GCC unroll 32
      for (int p = 0; p < kPixels; ++p)
        store(hn::Add(finish(sum[p][v], scale, bias), load(from + res.at[p])), to + out.at[p]);
    } else {
      float* to = a.out + ob * a.out_block + lane;
#pragma GCC unroll 32
      for (int p = 0; p < kPixels; ++p) store(finish(sum[p][v], scale, bias), to + out.at[p]);
    }
  }
}

/// sum[p][v] += x[p][i] * w[i][v] for kSteps consecutive input channels.
template <int kSteps, int kPixels, int kVectors>
HWY_INLINE void accumulate(const float* HWY_RESTRICT x, const float* HWY_RESTRICT w, std::size_t weight_block,
                           Vec (&sum)[kPixels][kVectors]) {
#pragma GCC unroll 8
  for (int i = 0; i < kSteps; ++i) {
    Vec row[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
      row[v] =
          load(w + static_cast<std::size_t>(v / kVecs) * weight_block + i * kBlock + (v % kVecs) * kLanes);
#pragma GCC unroll 32
    for (int p = 0; p < kPixels; ++p) {
      const Vec value = set(x[p * kBlock + i]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[p][v] = hn::MulAdd(value, row[v], sum[p][v]);
    }
  }
}

template <int kPixels, int kBlocks>
HWY_NOINLINE void pointwise_tile(const PointwiseArgs& a, int first, int block) {
  constexpr int kVectors = kBlocks * kVecs;
  constexpr int kSteps = 4;  // divides every channel count (they are multiples of 8)
  Vec sum[kPixels][kVectors];
#pragma GCC unroll 32
  for (int p = 0; p < kPixels; ++p) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sum[p][v] = zero();
  }
  const float* in = a.in + static_cast<std::size_t>(first) * kBlock;
  const float* w = a.weights + static_cast<std::size_t>(block) * a.weight_block;
  for (int left = a.in_channels; left > 0; left -= kBlock) {
    const int channels = left < kBlock ? left : kBlock;
    for (int i = 0; i < channels; i += kSteps) {
      accumulate<kSteps>(in + i, w, a.weight_block, sum);
      w += kSteps * kBlock;
    }
    in += a.in_block;
  }
  if (a.epilogue.hard_swish)
    pointwise_finish<true, kPixels, kBlocks>(a, first, block, sum);
  else
    pointwise_finish<false, kPixels, kBlocks>(a, first, block, sum);
}

template <int kBlocks, int kPixels = kTilePixels>
HWY_INLINE void pointwise_tiles(const PointwiseArgs& a, int first, int count, int block) {
  if constexpr (kPixels > 1) {
    if (count < kPixels) return pointwise_tiles<kBlocks, kPixels - 1>(a, first, count, block);
  }
  pointwise_tile<kPixels, kBlocks>(a, first, block);
}

void pointwise(const PointwiseArgs& a) {
  // Tiles of even size: 49 pixels are 13 + 12 + 12 + 12, not 14 + 14 + 14 + 7.
  const int tiles = (a.pixels + kTilePixels - 1) / kTilePixels;
  for (int block = 0; block < a.out_blocks; block += kTileBlocks) {
    int first = 0;
    for (int t = 0; t < tiles; ++t) {
      const int count = (a.pixels - first + tiles - t - 1) / (tiles - t);
      if (kTileBlocks == 2 && block + 1 == a.out_blocks)
        pointwise_tiles<1>(a, first, count, block);
      else
        pointwise_tiles<kTileBlocks>(a, first, count, block);
      first += count;
    }
  }
}

}  // namespace dofa::engine::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // DOFA_KERNELS_POINTWISE_INL_HPP
