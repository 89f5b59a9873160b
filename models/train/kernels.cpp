// SPDX-License-Identifier: Apache-2.0
// Compiled once per SIMD target; the best that the machine runs is picked at run time.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/train/kernels.cpp"
#include <hwy/foreach_target.h>
// After foreach_target, as Highway asks.
#include <hwy/highway.h>

#include "models/train/depthwise-inl.hpp"
#include "models/train/norm-inl.hpp"

#if HWY_ONCE
#include "models/train/kernels.hpp"

namespace dofa::train {

HWY_EXPORT(correlate);
HWY_EXPORT(correlate_weight);
HWY_EXPORT(normalise);
HWY_EXPORT(normalise_backward);

namespace {

/// One image with zeros around it, and between its pixels where the forward pass skipped some.
class PaddedImage {
 public:
  PaddedImage(std::int64_t height, std::int64_t width, std::int64_t channels, std::int64_t kernel)
      : padding_(kernel / 2),
        channels_(channels),
        row_((width + 2 * padding_) * channels),
        pixels_(static_cast<std::size_t>((height + 2 * padding_) * row_)) {}

  /// Puts height x width pixels where every `spacing`-th pixel of every `spacing`-th row is.
  void fill(const float* pixels, std::int64_t height, std::int64_t width, std::int64_t spacing) {
    for (std::int64_t y = 0; y < height; ++y) {
      float* to = pixels_.data() + (y * spacing + padding_) * row_ + padding_ * channels_;
      const float* from = pixels + y * width * channels_;
      if (spacing == 1) {
        std::copy_n(from, width * channels_, to);
        continue;
      }
      for (std::int64_t x = 0; x < width; ++x)
        std::copy_n(from + x * channels_, channels_, to + x * spacing * channels_);
    }
  }
  [[nodiscard]] const float* data() const { return pixels_.data(); }
  [[nodiscard]] std::int64_t row() const { return row_; }

 private:
  std::int64_t padding_;
  std::int64_t channels_;
  std::int64_t row_;
  std::vector<float> pixels_;
};

}  // namespace

void depthwise_forward(const DepthwiseShape& shape, const float* in, const float* weight, float* out) {
  PaddedImage image(shape.height, shape.width, shape.channels, shape.kernel);
  const std::int64_t in_size = shape.height * shape.width * shape.channels;
  const std::int64_t out_size = shape.out_height() * shape.out_width() * shape.channels;
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    image.fill(in + n * in_size, shape.height, shape.width, 1);
    HWY_DYNAMIC_DISPATCH(correlate)
    (shape, image.data(), image.row(), weight, shape.out_height(), shape.out_width(), out + n * out_size);
  }
}

void depthwise_backward_input(const DepthwiseShape& shape, const float* out_gradient, const float* weight,
                              float* in_gradient) {
  // The transposed convolution: the gradient's pixels spread by the stride, the kernel turned around.
  const std::int64_t cells = shape.kernel * shape.kernel;
  std::vector<float> turned(static_cast<std::size_t>(cells * shape.channels));
  for (std::int64_t cell = 0; cell < cells; ++cell)
    std::copy_n(weight + (cells - 1 - cell) * shape.channels, shape.channels,
                turned.data() + cell * shape.channels);
  DepthwiseShape dense = shape;
  dense.stride = 1;
  PaddedImage image(shape.height, shape.width, shape.channels, shape.kernel);
  const std::int64_t in_size = shape.height * shape.width * shape.channels;
  const std::int64_t out_size = shape.out_height() * shape.out_width() * shape.channels;
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    image.fill(out_gradient + n * out_size, shape.out_height(), shape.out_width(), shape.stride);
    HWY_DYNAMIC_DISPATCH(correlate)
    (dense, image.data(), image.row(), turned.data(), shape.height, shape.width, in_gradient + n * in_size);
  }
}

void depthwise_backward_weight(const DepthwiseShape& shape, const float* in, const float* out_gradient,
                               float* weight_gradient) {
  std::fill_n(weight_gradient, shape.kernel * shape.kernel * shape.channels, 0.0F);
  PaddedImage image(shape.height, shape.width, shape.channels, shape.kernel);
  const std::int64_t in_size = shape.height * shape.width * shape.channels;
  const std::int64_t out_size = shape.out_height() * shape.out_width() * shape.channels;
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    image.fill(in + n * in_size, shape.height, shape.width, 1);
    HWY_DYNAMIC_DISPATCH(correlate_weight)
    (shape, image.data(), image.row(), out_gradient + n * out_size, weight_gradient);
  }
}

void norm_forward(const NormShape& shape, const float* in, const float* weight, const float* bias,
                  float* mean, float* inverse_deviation, float* out) {
  HWY_DYNAMIC_DISPATCH(normalise)(shape, in, weight, bias, mean, inverse_deviation, out);
}

void norm_backward(const NormShape& shape, const float* in, const float* weight, const float* bias,
                   const float* mean, const float* inverse_deviation, const float* out_gradient,
                   float* in_gradient, float* weight_gradient, float* bias_gradient) {
  HWY_DYNAMIC_DISPATCH(normalise_backward)
  (shape, in, weight, bias, mean, inverse_deviation, out_gradient, in_gradient, weight_gradient,
   bias_gradient);
}

}  // namespace dofa::train
#endif
