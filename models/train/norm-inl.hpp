// SPDX-License-Identifier: Apache-2.0
// Batch normalisation and its activation over the rows of a matrix, a few vectors of channels at a time.
// Compiled once per SIMD target.
#if defined(DOFA_TRAIN_NORM_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef DOFA_TRAIN_NORM_INL_HPP
#undef DOFA_TRAIN_NORM_INL_HPP
#else
#define DOFA_TRAIN_NORM_INL_HPP
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "models/train/kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace dofa::train::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using NormLane = hn::CappedTag<float, kChannelStep>;
using NormVec = hn::Vec<NormLane>;

inline constexpr std::int64_t kRowChunk = 512;  ///< rows added in float32 before they go to a double

/// Adds up two values a row and channel, those that `each(row, channel offset, first, second)` adds to its
/// last two arguments, into `first` and `second` (one double a channel).
template <int kVecs, class Each>
HWY_INLINE void sum_rows(std::int64_t rows, const Each& each, double* first, double* second) {
  const NormLane d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t start = 0; start < rows; start += kRowChunk) {
    NormVec a[kVecs];
    NormVec b[kVecs];
    for (int v = 0; v < kVecs; ++v) a[v] = b[v] = hn::Zero(d);
    for (std::int64_t row = start; row < std::min(start + kRowChunk, rows); ++row) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) each(row, v * lanes, a[v], b[v]);
    }
    float values[kChannelStep];
    for (int v = 0; v < kVecs; ++v) {
      hn::StoreU(a[v], d, values);
      for (std::int64_t i = 0; i < lanes; ++i) first[v * lanes + i] += values[i];
      hn::StoreU(b[v], d, values);
      for (std::int64_t i = 0; i < lanes; ++i) second[v * lanes + i] += values[i];
    }
  }
}

/// Calls `call(vectors as a constant, first channel)` over all channels.
template <class Call>
HWY_INLINE void over_channels(std::int64_t channels, const Call& call) {
  constexpr int kWide = 4;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(NormLane()));
  std::int64_t c = 0;
  for (; c + kWide * lanes <= channels; c += kWide * lanes) call(std::integral_constant<int, kWide>(), c);
  for (; c < channels; c += lanes) call(std::integral_constant<int, 1>(), c);
}

template <NormActivation kActivation>
HWY_INLINE NormVec activate(NormVec x) {
  const NormLane d;
  if constexpr (kActivation == NormActivation::kRelu) return hn::Max(x, hn::Zero(d));
  if constexpr (kActivation == NormActivation::kHardSwish) {
    const NormVec gate = hn::Min(hn::Max(hn::Add(x, hn::Set(d, 3.0F)), hn::Zero(d)), hn::Set(d, 6.0F));
    return hn::Mul(hn::Mul(x, gate), hn::Set(d, 1.0F / 6.0F));
  }
  return x;
}

/// The gradient by the activation's input `x`, from that by its output.
template <NormActivation kActivation>
HWY_INLINE NormVec activate_backward(NormVec x, NormVec gradient) {
  const NormLane d;
  if constexpr (kActivation == NormActivation::kRelu)
    return hn::IfThenElseZero(hn::Gt(x, hn::Zero(d)), gradient);
  if constexpr (kActivation == NormActivation::kHardSwish) {
    const NormVec slope = hn::MulAdd(x, hn::Set(d, 1.0F / 3.0F), hn::Set(d, 0.5F));
    const NormVec inside = hn::IfThenElse(hn::Lt(x, hn::Set(d, 3.0F)), slope, hn::Set(d, 1.0F));
    return hn::Mul(gradient, hn::IfThenElseZero(hn::Gt(x, hn::Set(d, -3.0F)), inside));
  }
  return gradient;
}

template <NormActivation kActivation>
void normalise_with(const NormShape& shape, const float* in, const float* weight, const float* bias,
                    float* mean, float* inverse_deviation, float* out) {
  const NormLane d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t channels = shape.channels;
  over_channels(channels, [&]<int kVecs>(std::integral_constant<int, kVecs>, std::int64_t c) HWY_ATTR {
    // Sums of differences to the first row: no cancellation where the mean is large.
    double sum[4 * kChannelStep] = {};
    double square[4 * kChannelStep] = {};
    sum_rows<kVecs>(
        shape.rows,
        [&](std::int64_t row, std::int64_t at, NormVec& a, NormVec& b) HWY_ATTR {
          const NormVec x = hn::Sub(hn::LoadU(d, in + row * channels + c + at), hn::LoadU(d, in + c + at));
          a = hn::Add(a, x);
          b = hn::MulAdd(x, x, b);
        },
        sum, square);
    float scale[4 * kChannelStep];
    float shift[4 * kChannelStep];
    for (std::int64_t i = 0; i < kVecs * lanes; ++i) {
      const double offset = sum[i] / static_cast<double>(shape.rows);
      const double variance = std::max(0.0, square[i] / static_cast<double>(shape.rows) - offset * offset);
      mean[c + i] = static_cast<float>(in[c + i] + offset);
      inverse_deviation[c + i] = static_cast<float>(1.0 / std::sqrt(variance + shape.epsilon));
      scale[i] = inverse_deviation[c + i] * weight[c + i];
      shift[i] = bias[c + i] - mean[c + i] * scale[i];
    }
    NormVec a[kVecs];
    NormVec b[kVecs];
    for (int v = 0; v < kVecs; ++v) {
      a[v] = hn::LoadU(d, scale + v * lanes);
      b[v] = hn::LoadU(d, shift + v * lanes);
    }
    for (std::int64_t row = 0; row < shape.rows; ++row) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) {
        const std::int64_t at = row * channels + c + v * lanes;
        hn::StoreU(activate<kActivation>(hn::MulAdd(hn::LoadU(d, in + at), a[v], b[v])), d, out + at);
      }
    }
  });
}

template <NormActivation kActivation>
void normalise_backward_with(const NormShape& shape, const float* in, const float* weight, const float* bias,
                             const float* mean, const float* inverse_deviation, const float* out_gradient,
                             float* in_gradient, float* weight_gradient, float* bias_gradient) {
  const NormLane d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t channels = shape.channels;
  const auto gradient_at = [&](std::int64_t at, std::int64_t c, NormVec& normal) HWY_ATTR {
    normal =
        hn::Mul(hn::Sub(hn::LoadU(d, in + at), hn::LoadU(d, mean + c)), hn::LoadU(d, inverse_deviation + c));
    const NormVec before = hn::MulAdd(normal, hn::LoadU(d, weight + c), hn::LoadU(d, bias + c));
    return activate_backward<kActivation>(before, hn::LoadU(d, out_gradient + at));
  };
  over_channels(channels, [&]<int kVecs>(std::integral_constant<int, kVecs>, std::int64_t c) HWY_ATTR {
    double by_bias[4 * kChannelStep] = {};
    double by_weight[4 * kChannelStep] = {};
    sum_rows<kVecs>(
        shape.rows,
        [&](std::int64_t row, std::int64_t at, NormVec& a, NormVec& b) HWY_ATTR {
          NormVec normal;
          const NormVec gradient = gradient_at(row * channels + c + at, c + at, normal);
          a = hn::Add(a, gradient);
          b = hn::MulAdd(gradient, normal, b);
        },
        by_bias, by_weight);
    float mean_gradient[4 * kChannelStep];
    float mean_product[4 * kChannelStep];
    for (std::int64_t i = 0; i < kVecs * lanes; ++i) {
      bias_gradient[c + i] = static_cast<float>(by_bias[i]);
      weight_gradient[c + i] = static_cast<float>(by_weight[i]);
      mean_gradient[i] = static_cast<float>(by_bias[i] / static_cast<double>(shape.rows));
      mean_product[i] = static_cast<float>(by_weight[i] / static_cast<double>(shape.rows));
    }
    for (std::int64_t row = 0; row < shape.rows; ++row) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) {
        const std::int64_t at = row * channels + c + v * lanes;
        NormVec normal;
        const NormVec gradient = gradient_at(at, c + v * lanes, normal);
        const NormVec centred = hn::NegMulAdd(normal, hn::LoadU(d, mean_product + v * lanes),
                                              hn::Sub(gradient, hn::LoadU(d, mean_gradient + v * lanes)));
        const NormVec scale =
            hn::Mul(hn::LoadU(d, weight + c + v * lanes), hn::LoadU(d, inverse_deviation + c + v * lanes));
        hn::StoreU(hn::Mul(centred, scale), d, in_gradient + at);
      }
    }
  });
}

void normalise(const NormShape& shape, const float* in, const float* weight, const float* bias, float* mean,
               float* inverse_deviation, float* out) {
  const auto run = shape.activation == NormActivation::kNone   ? &normalise_with<NormActivation::kNone>
                   : shape.activation == NormActivation::kRelu ? &normalise_with<NormActivation::kRelu>
                                                               : &normalise_with<NormActivation::kHardSwish>;
  run(shape, in, weight, bias, mean, inverse_deviation, out);
}

void normalise_backward(const NormShape& shape, const float* in, const float* weight, const float* bias,
                        const float* mean, const float* inverse_deviation, const float* out_gradient,
                        float* in_gradient, float* weight_gradient, float* bias_gradient) {
  const auto run = shape.activation == NormActivation::kNone ? &normalise_backward_with<NormActivation::kNone>
                   : shape.activation == NormActivation::kRelu
                       ? &normalise_backward_with<NormActivation::kRelu>
                       : &normalise_backward_with<NormActivation::kHardSwish>;
  run(shape, in, weight, bias, mean, inverse_deviation, out_gradient, in_gradient, weight_gradient,
      bias_gradient);
}

}  // namespace dofa::train::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
