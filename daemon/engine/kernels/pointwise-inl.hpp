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

/// Where a tile's pixels lie in a plane whose rows may be padded, walked along tile by tile.
class PlaneCursor {
 public:
  HWY_INLINE PlaneCursor(int first, int width, std::size_t row_floats)
      : width_(width),
        gap_(row_floats - static_cast<std::size_t>(width) * kBlock),
        column_(first % width),
        offset_(static_cast<std::size_t>(first / width) * row_floats +
                static_cast<std::size_t>(column_) * kBlock) {}

  /// Whether the next `count` pixels follow each other without a gap.
  [[nodiscard]] HWY_INLINE bool contiguous(int count) const { return gap_ == 0 || column_ + count <= width_; }
  /// Offset of the next pixel; steps over it.
  HWY_INLINE std::size_t next() {
    const std::size_t at = offset_;
    advance(1);
    return at;
  }
  HWY_INLINE void advance(int pixels) {
    offset_ += static_cast<std::size_t>(pixels) * kBlock;
    for (column_ += pixels; column_ >= width_; column_ -= width_) offset_ += gap_;
  }
  [[nodiscard]] HWY_INLINE std::size_t offset() const { return offset_; }

 private:
  int width_;
  std::size_t gap_;  ///< floats between the end of a row and the next
  int column_;
  std::size_t offset_;
};

/// Offsets of a tile's pixels: known distances, or (kScattered) looked up.
template <bool kScattered, int kPixels>
struct TileOffsets {
  std::size_t start;
  std::size_t at[kScattered ? kPixels : 1];
  explicit HWY_INLINE TileOffsets(PlaneCursor cursor) : start(cursor.offset()) {
    if constexpr (kScattered) {
      for (int p = 0; p < kPixels; ++p) at[p] = cursor.next();
    }
  }
  HWY_INLINE std::size_t operator[](int p) const {
    return kScattered ? at[p] : start + static_cast<std::size_t>(p) * kBlock;
  }
};

template <bool kHardSwish, bool kScattered, int kPixels, int kBlocks>
HWY_INLINE void pointwise_store(const PointwiseArgs& a, const PlaneCursor& out, const PlaneCursor& residual,
                                int block, Vec (&sum)[kPixels][kBlocks * kVecs]) {
  const Finish<kHardSwish> finish(a.epilogue);
  const TileOffsets<kScattered, kPixels> to(out);
#pragma GCC unroll 8
  for (int v = 0; v < kBlocks * kVecs; ++v) {
    const std::size_t ob = static_cast<std::size_t>(block + v / kVecs);
    const std::size_t lane = static_cast<std::size_t>(v % kVecs) * kLanes;
    const Vec scale = load(a.epilogue.scale + ob * kBlock + lane);
    const Vec bias = load(a.epilogue.bias + ob * kBlock + lane);
    float* plane = a.out + ob * a.out_block + lane;
    if (a.pool != nullptr) {
      float* pool = a.pool + ob * kBlock + lane;
      Vec total = load(pool);
#pragma GCC unroll 32
      for (int p = 0; p < kPixels; ++p) total = hn::Add(total, finish(sum[p][v], scale, bias));
      store(total, pool);
    } else if (a.residual != nullptr) {
      const TileOffsets<kScattered, kPixels> from(residual);
      const float* added = a.residual + ob * a.residual_block + lane;
#pragma GCC unroll 32
      for (int p = 0; p < kPixels; ++p)
        store(hn::Add(finish(sum[p][v], scale, bias), load(added + from[p])), plane + to[p]);
    } else {
#pragma GCC unroll 32
      for (int p = 0; p < kPixels; ++p) store(finish(sum[p][v], scale, bias), plane + to[p]);
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
      for (int v = 0; v < kVectors; ++v) multiply_add(value, row[v], sum[p][v]);
    }
  }
}

inline constexpr int kSteps =
    4;  ///< input channels at a time; divides every channel count (they are multiples of 8)

/// Asks for the weights that the next blocks will need while these are worked on: late layers read each
/// weight for so few pixels that memory would otherwise set the pace. Each of the first kSteps tiles asks for
/// its share of the rows.
template <int kBlocks>
HWY_INLINE void prefetch_next(const float* w, std::size_t weight_block, int tile, int tiles) {
  for (int row = tile; row < kSteps; row += tiles) {
#pragma GCC unroll 2
    for (int b = 0; b < kBlocks; ++b)
      __builtin_prefetch(w + static_cast<std::size_t>(kBlocks + b) * weight_block + row * kBlock, 0, 2);
  }
}

/// Tiles [begin, end) of `tiles` in all, of kPixels pixels each, from `first` on.
template <int kPixels, int kBlocks>
HWY_NOINLINE void pointwise_tiles(const PointwiseArgs& a, int first, int begin, int end, int tiles,
                                  int block) {
  constexpr int kVectors = kBlocks * kVecs;
  const float* in = a.in + static_cast<std::size_t>(first) * kBlock;
  const float* weights = a.weights + static_cast<std::size_t>(block) * a.weight_block;
  PlaneCursor out(first, a.width, a.out_row);
  PlaneCursor residual(first, a.width, a.residual != nullptr ? a.residual_row : a.out_row);
  for (int t = begin; t < end; ++t) {
    Vec sum[kPixels][kVectors];
#pragma GCC unroll 32
    for (int p = 0; p < kPixels; ++p) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[p][v] = zero();
    }
    const float* x = in;
    const float* w = weights;
    for (int left = a.in_channels; left > 0; left -= kBlock) {
      const int channels = left < kBlock ? left : kBlock;
      for (int i = 0; i < channels; i += kSteps) {
        prefetch_next<kBlocks>(w, a.weight_block, t, tiles);
        accumulate<kSteps>(x + i, w, a.weight_block, sum);
        w += kSteps * kBlock;
      }
      x += a.in_block;
    }
    const bool contiguous = out.contiguous(kPixels) && residual.contiguous(kPixels);
    if (a.epilogue.hard_swish) {
      if (contiguous)
        pointwise_store<true, false, kPixels, kBlocks>(a, out, residual, block, sum);
      else
        pointwise_store<true, true, kPixels, kBlocks>(a, out, residual, block, sum);
    } else {
      if (contiguous)
        pointwise_store<false, false, kPixels, kBlocks>(a, out, residual, block, sum);
      else
        pointwise_store<false, true, kPixels, kBlocks>(a, out, residual, block, sum);
    }
    in += kPixels * kBlock;
    out.advance(kPixels);
    residual.advance(kPixels);
  }
}

template <int kBlocks, int kPixels = kTilePixels>
HWY_INLINE void pointwise_pixels(const PointwiseArgs& a, int first, int begin, int end, int tiles, int pixels,
                                 int block) {
  if constexpr (kPixels > 1) {
    if (pixels < kPixels)
      return pointwise_pixels<kBlocks, kPixels - 1>(a, first, begin, end, tiles, pixels, block);
  }
  pointwise_tiles<kPixels, kBlocks>(a, first, begin, end, tiles, block);
}

/// All pixels of kBlocks blocks of output channels, in tiles of even size: 49 pixels are 13 + 12 + 12 + 12,
/// not 14 + 14 + 14 + 7.
template <int kBlocks>
HWY_INLINE void pointwise_blocks(const PointwiseArgs& a, int block) {
  const int tiles = (a.pixels + kTilePixels - 1) / kTilePixels;
  const int small_size = a.pixels / tiles;
  const int large = a.pixels % tiles;  // tiles of one pixel more, which come first
  if (large > 0) pointwise_pixels<kBlocks>(a, 0, 0, large, tiles, small_size + 1, block);
  pointwise_pixels<kBlocks>(a, large * (small_size + 1), large, tiles, tiles, small_size, block);
}

void pointwise(const PointwiseArgs& a) {
  int block = 0;
  for (; block + kTileBlocks <= a.out_blocks; block += kTileBlocks) pointwise_blocks<kTileBlocks>(a, block);
  for (; block < a.out_blocks; ++block) pointwise_blocks<1>(a, block);
}

}  // namespace dofa::engine::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // DOFA_KERNELS_POINTWISE_INL_HPP
