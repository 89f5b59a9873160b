// SPDX-License-Identifier: Apache-2.0
// The first layer (dense k x k over a planar image), the layers that see one pixel (linear),
// squeeze-and-excite gates, and the finite check of the input. Compiled once per SIMD target.
#if defined(DOFA_KERNELS_CONV_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef DOFA_KERNELS_CONV_INL_HPP
#undef DOFA_KERNELS_CONV_INL_HPP
#else
#define DOFA_KERNELS_CONV_INL_HPP
#endif

#include "daemon/engine/kernels/common-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace dofa::engine::kernels::HWY_NAMESPACE {

inline constexpr int kConvBlocks = kVecs == 1 ? 2 : 1;  ///< blocks of output channels in a tile
inline constexpr int kConvTile =
    HWY_MAX(1, HWY_MIN(14, kSums / (kConvBlocks * kVecs)));  ///< output pixels in a tile

/// Finishes a tile's sums and writes them. A function and not a lambda: one that captured the sums would keep
/// GCC from holding them in registers.
template <bool kHardSwish, int kBlocks, int kTile>
HWY_INLINE void conv_store(const ConvArgs& a, int block, int column,
                           const Vec (&sum)[kTile][kBlocks * kVecs]) {
  const Finish<kHardSwish> finish(a.epilogue);
#pragma GCC unroll 8
  for (int v = 0; v < kBlocks * kVecs; ++v) {
    const std::size_t ob = static_cast<std::size_t>(block + v / kVecs);
    const std::size_t lane = static_cast<std::size_t>(v % kVecs) * kLanes;
    const Vec scale = load(a.epilogue.scale + ob * kBlock + lane);
    const Vec bias = load(a.epilogue.bias + ob * kBlock + lane);
    float* out = a.out + ob * a.out_block + static_cast<std::size_t>(column) * kBlock + lane;
#pragma GCC unroll 16
    for (int t = 0; t < kTile; ++t) store(finish(sum[t][v], scale, bias), out + t * kBlock);
  }
}

/// kStride 0: whatever the arguments say.
template <int kStride, int kBlocks, int kTile>
HWY_NOINLINE void conv_tile(const ConvArgs& a, int block, int column) {
  constexpr int kVectors = kBlocks * kVecs;
  const int stride = kStride > 0 ? kStride : a.stride;
  Vec sum[kTile][kVectors];
#pragma GCC unroll 16
  for (int t = 0; t < kTile; ++t) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sum[t][v] = zero();
  }
  const int lines = a.in_channels * a.kernel;
  const std::size_t weight_block = static_cast<std::size_t>(lines) * a.kernel * kBlock;
  const float* w = a.weights + static_cast<std::size_t>(block) * weight_block;
  for (int line = 0; line < lines; ++line, w += a.kernel * kBlock) {
    if (a.rows[line] == nullptr) continue;
    const float* x = a.rows[line] + column * stride;
    for (int k = 0; k < a.kernel; ++k) {
      Vec tap[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        tap[v] =
            load(w + static_cast<std::size_t>(v / kVecs) * weight_block + k * kBlock + (v % kVecs) * kLanes);
#pragma GCC unroll 16
      for (int t = 0; t < kTile; ++t) {
        const Vec value = set(x[t * stride + k]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) multiply_add(value, tap[v], sum[t][v]);
      }
    }
  }
  if (a.epilogue.hard_swish)
    conv_store<true, kBlocks>(a, block, column, sum);
  else
    conv_store<false, kBlocks>(a, block, column, sum);
}

template <int kStride, int kBlocks, int kTile = kConvTile>
HWY_INLINE void conv_width(const ConvArgs& a, int block, int column, int width) {
  if constexpr (kTile > 1) {
    if (width < kTile) return conv_width<kStride, kBlocks, kTile - 1>(a, block, column, width);
  }
  conv_tile<kStride, kBlocks, kTile>(a, block, column);
}

template <int kStride>
void conv_row(const ConvArgs& a) {
  const int tiles = (a.width + kConvTile - 1) / kConvTile;
  int column = 0;
  for (int t = 0; t < tiles; ++t) {
    const int width = (a.width - column + tiles - t - 1) / (tiles - t);
    int block = 0;
    for (; block + kConvBlocks <= a.out_blocks; block += kConvBlocks)
      conv_width<kStride, kConvBlocks>(a, block, column, width);
    for (; block < a.out_blocks; ++block) conv_width<kStride, 1>(a, block, column, width);
    column += width;
  }
}

void conv(const ConvArgs& a) {
  return a.stride == 2 ? conv_row<2>(a) : conv_row<0>(a);
}

HWY_INLINE Vec load_weights(const float* p) {
  return load(p);
}
HWY_INLINE Vec load_weights(const hwy::float16_t* p) {
  const hn::Rebind<hwy::float16_t, F32> half;
  return hn::PromoteTo(F32(), hn::Load(half, p));
}

/// kBlocks blocks of outputs at once: independent streams from memory and independent sums.
template <int kBlocks, class T>
HWY_INLINE void linear_blocks(const LinearArgs& a, const T* weights, int block) {
  constexpr int kVectors = kBlocks * kVecs;
  Vec even[kVectors], odd[kVectors];
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) even[v] = odd[v] = zero();
  const T* w = weights + static_cast<std::size_t>(block) * a.weight_block;
  for (int i = 0; i < a.in_channels; i += 2, w += 2 * kBlock) {
    const Vec x0 = set(a.in[i]);
    const Vec x1 = set(a.in[i + 1]);
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      const T* row = w + static_cast<std::size_t>(v / kVecs) * a.weight_block + (v % kVecs) * kLanes;
      even[v] = hn::MulAdd(x0, load_weights(row), even[v]);
      odd[v] = hn::MulAdd(x1, load_weights(row + kBlock), odd[v]);
    }
  }
  const auto write = [&](auto finish) HWY_ATTR {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      const std::size_t at = static_cast<std::size_t>(block) * kBlock + v * kLanes;
      store(finish(hn::Add(even[v], odd[v]), load(a.epilogue.scale + at), load(a.epilogue.bias + at)),
            a.out + at);
    }
  };
  if (a.epilogue.hard_swish)
    write(Finish<true>(a.epilogue));
  else
    write(Finish<false>(a.epilogue));
}

template <class T>
HWY_INLINE void linear_all(const LinearArgs& a, const T* weights) {
  constexpr int kAtOnce = kVecs == 1 ? 4 : kVecs == 2 ? 2 : 1;
  int block = 0;
  for (; block + kAtOnce <= a.out_blocks; block += kAtOnce) linear_blocks<kAtOnce>(a, weights, block);
  for (; block < a.out_blocks; ++block) linear_blocks<1>(a, weights, block);
}

void linear(const LinearArgs& a) {
  if (a.precision == Precision::kHalf)
    linear_all(a, static_cast<const hwy::float16_t*>(a.weights));
  else
    linear_all(a, static_cast<const float*>(a.weights));
}

void gate(const GateArgs& a) {
  for (int block = 0; block < a.blocks; ++block) {
    Vec g[kVecs];
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) g[v] = load(a.gates + block * kBlock + v * kLanes);
    float* data = a.data + block * a.block;
    for (int p = 0; p < a.pixels; ++p, data += kBlock) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) store(hn::Mul(load(data + v * kLanes), g[v]), data + v * kLanes);
    }
  }
}

void gate_weights(const GateWeightsArgs& a) {
  float* to = a.scaled;
  for (int block = 0; block < a.out_blocks; ++block) {
    const float* from = a.weights + block * a.weight_block;
    for (int c = 0; c < a.in_channels; ++c, from += kBlock, to += kBlock) {
      const Vec g = set(a.gates[c]);
      for (int lane = 0; lane < kBlock; lane += kLanes) store(hn::Mul(load(from + lane), g), to + lane);
    }
  }
}

bool copy_finite(const float* from, float* to, std::size_t count) {
  // x - x is zero for every finite x and not a number otherwise, and such a sum stays one.
  Vec odd = zero();
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Vec x = hn::LoadU(F32(), from + i);
    hn::StoreU(x, F32(), to + i);
    odd = hn::Add(odd, hn::Sub(x, x));
  }
  float rest = hn::GetLane(hn::SumOfLanes(F32(), odd));
  for (; i < count; ++i) {
    to[i] = from[i];
    rest += from[i] - from[i];
  }
  return rest == 0;
}

}  // namespace dofa::engine::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // DOFA_KERNELS_CONV_INL_HPP
