// SPDX-License-Identifier: Apache-2.0
// Depthwise correlation on a padded N x H x W x C image, and its gradient by the weights: one vector of
// channels at a time, a few output pixels of a row in registers. Compiled once per SIMD target.
#if defined(DOFA_TRAIN_DEPTHWISE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef DOFA_TRAIN_DEPTHWISE_INL_HPP
#undef DOFA_TRAIN_DEPTHWISE_INL_HPP
#else
#define DOFA_TRAIN_DEPTHWISE_INL_HPP
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <vector>

#include "models/train/kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace dofa::train::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// No wider than the step of channel counts, so that no vector is partly used.
using Lane8 = hn::CappedTag<float, kChannelStep>;
using Vec8 = hn::Vec<Lane8>;

/// `kTile` output pixels of one row, all of one vector of channels. `in` is the window's corner of the first.
template <int kKernel, int kStride, int kTile>
HWY_INLINE void correlate_tile(const float* HWY_RESTRICT in, std::int64_t row, std::int64_t channels,
                               const float* HWY_RESTRICT weight, float* HWY_RESTRICT out) {
  const Lane8 d;
  Vec8 sum[kTile];
  for (int t = 0; t < kTile; ++t) sum[t] = hn::Zero(d);
  for (int ky = 0; ky < kKernel; ++ky, in += row) {
    Vec8 tap[kKernel];
    for (int kx = 0; kx < kKernel; ++kx) tap[kx] = hn::LoadU(d, weight + (ky * kKernel + kx) * channels);
#pragma GCC unroll 64
    for (int i = 0; i < (kTile - 1) * kStride + kKernel; ++i) {
      const Vec8 value = hn::LoadU(d, in + i * channels);
#pragma GCC unroll 8
      for (int kx = 0; kx < kKernel; ++kx) {
        const int t = i - kx;
        if (t >= 0 && t % kStride == 0 && t / kStride < kTile)
          sum[t / kStride] = hn::MulAdd(value, tap[kx], sum[t / kStride]);
      }
    }
  }
  for (int t = 0; t < kTile; ++t) hn::StoreU(sum[t], d, out + t * channels);
}

template <int kKernel, int kStride>
void correlate_with(std::int64_t channels, const float* in, std::int64_t row, const float* weight,
                    std::int64_t out_height, std::int64_t out_width, float* out) {
  constexpr int kTile = 4;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Lane8()));
  for (std::int64_t y = 0; y < out_height; ++y) {
    for (std::int64_t c = 0; c < channels; c += lanes) {
      const float* from = in + y * kStride * row + c;
      float* to = out + y * out_width * channels + c;
      std::int64_t x = 0;
      for (; x + kTile <= out_width; x += kTile)
        correlate_tile<kKernel, kStride, kTile>(from + x * kStride * channels, row, channels, weight + c,
                                                to + x * channels);
      for (; x < out_width; ++x)
        correlate_tile<kKernel, kStride, 1>(from + x * kStride * channels, row, channels, weight + c,
                                            to + x * channels);
    }
  }
}

/// One kernel row's share of the weight gradient, added to it.
template <int kKernel, int kStride>
void correlate_weight_with(std::int64_t channels, const float* in, std::int64_t row,
                           const float* out_gradient, std::int64_t out_height, std::int64_t out_width,
                           float* weight_gradient) {
  const Lane8 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t c = 0; c < channels; c += lanes) {
    for (int ky = 0; ky < kKernel; ++ky) {
      Vec8 sum[kKernel];
      for (int kx = 0; kx < kKernel; ++kx) sum[kx] = hn::Zero(d);
      for (std::int64_t y = 0; y < out_height; ++y) {
        const float* from = in + (y * kStride + ky) * row + c;
        const float* gradient = out_gradient + y * out_width * channels + c;
        for (std::int64_t x = 0; x < out_width; ++x, from += kStride * channels, gradient += channels) {
          const Vec8 value = hn::LoadU(d, gradient);
#pragma GCC unroll 8
          for (int kx = 0; kx < kKernel; ++kx)
            sum[kx] = hn::MulAdd(value, hn::LoadU(d, from + kx * channels), sum[kx]);
        }
      }
      for (int kx = 0; kx < kKernel; ++kx) {
        float* total = weight_gradient + (ky * kKernel + kx) * channels + c;
        hn::StoreU(hn::Add(hn::LoadU(d, total), sum[kx]), d, total);
      }
    }
  }
}

/// Calls `call` with the kernel and stride as constants.
template <class Call>
void with_constants(const DepthwiseShape& shape, const Call& call) {
  const auto with_stride = [&]<int kKernel>(std::integral_constant<int, kKernel> kernel) {
    if (shape.stride == 1)
      call(kernel, std::integral_constant<int, 1>());
    else
      call(kernel, std::integral_constant<int, 2>());
  };
  if (shape.kernel == 3)
    with_stride(std::integral_constant<int, 3>());
  else if (shape.kernel == 5)
    with_stride(std::integral_constant<int, 5>());
  else
    with_stride(std::integral_constant<int, 7>());
}

void correlate(const DepthwiseShape& shape, const float* in, std::int64_t row, const float* weight,
               std::int64_t out_height, std::int64_t out_width, float* out) {
  with_constants(shape, [&]<int kKernel, int kStride>(std::integral_constant<int, kKernel>,
                                                      std::integral_constant<int, kStride>) {
    correlate_with<kKernel, kStride>(shape.channels, in, row, weight, out_height, out_width, out);
  });
}

void correlate_weight(const DepthwiseShape& shape, const float* in, std::int64_t row,
                      const float* out_gradient, float* weight_gradient) {
  with_constants(shape, [&]<int kKernel, int kStride>(std::integral_constant<int, kKernel>,
                                                      std::integral_constant<int, kStride>) {
    correlate_weight_with<kKernel, kStride>(shape.channels, in, row, out_gradient, shape.out_height(),
                                            shape.out_width(), weight_gradient);
  });
}

}  // namespace dofa::train::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
