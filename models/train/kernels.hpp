// SPDX-License-Identifier: Apache-2.0
// What a training step on a CPU spends its time in, and where ATen is slow: depthwise convolution and batch
// normalisation with its activation, forward and backward, on float32 activations laid out N x H x W x C.
// Channel counts are multiples of 8, as all of Once-for-all's are. Pure functions on the caller's arrays, one
// thread each; thread-safe. Std and Highway only.
#pragma once

#include <cstdint>

namespace dofa::train {

inline constexpr std::int64_t kChannelStep = 8;  ///< channels come in multiples of this

enum class NormActivation : std::uint8_t { kNone, kRelu, kHardSwish };

/// A depthwise convolution, padded by kernel / 2 on every side.
struct DepthwiseShape {
  std::int64_t batch = 0;
  std::int64_t height = 0;  ///< of the input
  std::int64_t width = 0;
  std::int64_t channels = 0;
  std::int64_t kernel = 3;  ///< 3, 5 or 7
  std::int64_t stride = 1;  ///< 1 or 2

  [[nodiscard]] std::int64_t out_height() const { return (height + stride - 1) / stride; }
  [[nodiscard]] std::int64_t out_width() const { return (width + stride - 1) / stride; }
};

/// out[n][y][x][c] = sum over the window of in * weight; weight is [kernel * kernel][channels].
void depthwise_forward(const DepthwiseShape& shape, const float* in, const float* weight, float* out);
/// The loss's gradient by `in`, from that by `out`.
void depthwise_backward_input(const DepthwiseShape& shape, const float* out_gradient, const float* weight,
                              float* in_gradient);
/// The loss's gradient by `weight`, from that by `out`.
void depthwise_backward_weight(const DepthwiseShape& shape, const float* in, const float* out_gradient,
                               float* weight_gradient);

/// `rows` x `channels` values, normalised over the rows with their own mean and biased variance.
struct NormShape {
  std::int64_t rows = 0;
  std::int64_t channels = 0;
  NormActivation activation = NormActivation::kNone;
  float epsilon = 1e-5F;
};

/// out = activation((in - mean) * inverse_deviation * weight + bias); gives mean and inverse_deviation, one a
/// channel, for the way back.
void norm_forward(const NormShape& shape, const float* in, const float* weight, const float* bias,
                  float* mean, float* inverse_deviation, float* out);
/// The loss's gradients by in, weight and bias (Ioffe and Szegedy, ICML 2015, section 3), from that by `out`.
void norm_backward(const NormShape& shape, const float* in, const float* weight, const float* bias,
                   const float* mean, const float* inverse_deviation, const float* out_gradient,
                   float* in_gradient, float* weight_gradient, float* bias_gradient);

}  // namespace dofa::train
