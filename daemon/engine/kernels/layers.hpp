// SPDX-License-Identifier: Apache-2.0
// How a network is described to the plan builder: a list of layers in the order they run, enough for the
// MobileNet families (V1, V2, V3) and whatever is built from the same parts. Weights are views and shared;
// what belongs to one sub-network (folded batch normalisation) is held by value. Plain values, no behaviour.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "daemon/engine/kernels/weights.hpp"

namespace dofa::engine::kernels {

enum class Activation : std::uint8_t {
  kNone,
  kRelu,
  kRelu6,
  kHardSwish,    ///< x * clamp(x + 3, 0, 6) / 6
  kHardSigmoid,  ///< clamp(x + 3, 0, 6) / 6
};

/// What follows a layer's sums: scale * sum + bias, one pair a channel. Empty scale means ones, empty bias
/// zeros.
struct Affine {
  std::vector<float> scale;
  std::vector<float> bias;
};

/// Batch normalisation in inference as an Affine: scale = weight / sqrt(variance + epsilon), bias = bias -
/// mean * scale.
[[nodiscard]] Affine fold_batch_norm(std::span<const float> weight, std::span<const float> bias,
                                     std::span<const float> mean, std::span<const float> variance,
                                     float epsilon);

/// First layer: dense k x k convolution over the image.
struct ConvLayer {
  ConvWeights weights;
  int out_channels = 0;
  int stride = 1;
  int pad_before = 0;  ///< rows and columns of zeros above and left
  int pad_after = 0;   ///< below and right
  Affine affine;
  Activation activation = Activation::kNone;
};

/// 1x1 convolution.
struct PointwiseLayer {
  MatrixWeights weights;  ///< kFloat
  int out_channels = 0;
  Affine affine;
  Activation activation = Activation::kNone;
  int residual_from = -1;  ///< index of the layer whose output is added after the activation; -1: none
};

struct DepthwiseLayer {
  DepthwiseWeights weights;
  int stride = 1;
  int pad_before = 0;
  int pad_after = 0;
  Affine affine;
  Activation activation = Activation::kNone;
};

/// x * hard_sigmoid(expand(relu(reduce(mean(x))))) per channel; follows a depthwise layer.
struct SqueezeExciteLayer {
  MatrixWeights reduce;
  MatrixWeights expand;
  int hidden_channels = 0;
  std::vector<float> reduce_bias;
  std::vector<float> expand_bias;
};

/// Mean over all pixels; follows a pointwise layer.
struct GlobalPoolLayer {};

/// Fully connected; after a global pool or another linear layer.
struct LinearLayer {
  MatrixWeights weights;
  int out_channels = 0;
  Affine affine;
  Activation activation = Activation::kNone;
};

using Layer =
    std::variant<ConvLayer, PointwiseLayer, DepthwiseLayer, SqueezeExciteLayer, GlobalPoolLayer, LinearLayer>;

}  // namespace dofa::engine::kernels
