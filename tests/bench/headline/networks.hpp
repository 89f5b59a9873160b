// SPDX-License-Identifier: Apache-2.0
// The competitors' architectures as plain lists of layers, and such a list with random weights made ready for
// the CPU kernels. Slimmable and universally slimmable (US) networks of one width have the same layers; what
// differs is how they were trained, which time does not see.
//   MobileNetV1: Howard et al., arXiv 1704.04861; MobileNetV2: Sandler et al., CVPR 2018; their slimmable
//   forms: Yu et al., ICLR 2019 and Yu and Huang, ICCV 2019.
// Plain values, nothing is shared.
#pragma once

#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/engine/kernels/layers.hpp"
#include "daemon/engine/kernels/plan.hpp"

namespace dofa::bench {

/// One layer. Convolutions are followed by batch normalisation, a linear layer has a bias; padding is half
/// the kernel on every side, as in PyTorch.
struct PlainLayer {
  enum class Kind { kConv, kPointwise, kDepthwise, kPool, kLinear };
  Kind kind = Kind::kConv;
  int out_channels = 0;
  int kernel = 1;
  int stride = 1;
  engine::kernels::Activation activation = engine::kernels::Activation::kNone;
  int residual_from = -1;  ///< index of the layer whose output is added; -1: none
};

struct PlainNetwork {
  std::string name;
  int resolution = 0;
  std::vector<PlainLayer> layers;
};

/// MobileNetV1 with each layer `width` times as wide (at least 0.25, channels rounded to multiples of 8), and
/// 1000 classes.
[[nodiscard]] PlainNetwork mobilenet_v1(double width, int resolution = 224);

/// MobileNetV2 likewise (at least 0.35). Its last convolution keeps 1280 channels below width 1.
[[nodiscard]] PlainNetwork mobilenet_v2(double width, int resolution = 224);

/// What a layer multiplies with, in PyTorch's order ([out][in][k][k], depthwise [channels][1][k][k]); batch
/// normalisation folded into a scale and a bias a channel.
struct PlainWeights {
  std::vector<float> values;
  engine::kernels::Affine affine;
};

/// Random weights, scaled so that the signal keeps its size; one entry a layer.
[[nodiscard]] std::vector<PlainWeights> random_weights(const PlainNetwork& network, unsigned seed = 1);

/// A network packed for the kernels. Moves, as its plan points into the store's memory and not the store.
struct PackedNetwork {
  engine::kernels::WeightStore store;
  engine::kernels::Plan plan;
};

/// kNotSupported where the kernels lack something.
Result<PackedNetwork> pack(const PlainNetwork& network, const std::vector<PlainWeights>& weights);

}  // namespace dofa::bench
