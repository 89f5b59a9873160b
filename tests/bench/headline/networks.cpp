// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/headline/networks.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <utility>

namespace dofa::bench {
namespace {
namespace kernels = engine::kernels;
using kernels::Activation;
using Kind = PlainLayer::Kind;

constexpr int kImageChannels = 3;
constexpr int kClasses = 1000;

/// The nearest multiple of 8 that is not more than a tenth below (the MobileNets' rounding rule).
int rounded(double channels) {
  const int nearest = std::max(8, static_cast<int>(channels + 4) / 8 * 8);
  return nearest < 0.9 * channels ? nearest + 8 : nearest;
}

std::string named(const char* family, double width, int resolution) {
  char name[64];
  std::snprintf(name, sizeof name, "%s-%.2f-%d", family, width, resolution);
  return name;
}

PlainLayer depthwise(int channels, int stride) {
  return {Kind::kDepthwise, channels, 3, stride, Activation::kRelu6, -1};
}
PlainLayer pointwise(int channels, Activation activation, int residual_from = -1) {
  return {Kind::kPointwise, channels, 1, 1, activation, residual_from};
}

void add_classifier(PlainNetwork& network) {
  network.layers.push_back({Kind::kPool, network.layers.back().out_channels});
  network.layers.push_back({Kind::kLinear, kClasses});
}

int inputs_of(const PlainNetwork& network, std::size_t layer) {
  return layer == 0 ? kImageChannels : network.layers[layer - 1].out_channels;
}
}  // namespace

PlainNetwork mobilenet_v1(double width, int resolution) {
  struct Block {
    int channels, stride, count;
  };
  constexpr Block kBlocks[] = {{64, 1, 1},  {128, 2, 1}, {128, 1, 1},  {256, 2, 1}, {256, 1, 1},
                               {512, 2, 1}, {512, 1, 5}, {1024, 2, 1}, {1024, 1, 1}};
  PlainNetwork network{named("mobilenet-v1", width, resolution), resolution, {}};
  int channels = rounded(32 * width);
  network.layers.push_back({Kind::kConv, channels, 3, 2, Activation::kRelu6});
  for (const Block& block : kBlocks) {
    for (int i = 0; i < block.count; ++i) {
      network.layers.push_back(depthwise(channels, block.stride));
      channels = rounded(block.channels * width);
      network.layers.push_back(pointwise(channels, Activation::kRelu6));
    }
  }
  add_classifier(network);
  return network;
}

PlainNetwork mobilenet_v2(double width, int resolution) {
  struct Stage {
    int ratio, channels, count, stride;
  };
  constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                               {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  PlainNetwork network{named("mobilenet-v2", width, resolution), resolution, {}};
  int channels = rounded(32 * width);
  network.layers.push_back({Kind::kConv, channels, 3, 2, Activation::kRelu6});
  for (const Stage& stage : kStages) {
    for (int i = 0; i < stage.count; ++i) {
      const int stride = i == 0 ? stage.stride : 1;
      const int out = rounded(stage.channels * width);
      const int input = static_cast<int>(network.layers.size()) - 1;
      const int expanded = channels * stage.ratio;
      if (stage.ratio > 1) network.layers.push_back(pointwise(expanded, Activation::kRelu6));
      network.layers.push_back(depthwise(expanded, stride));
      const bool shortcut = stride == 1 && out == channels;
      network.layers.push_back(pointwise(out, Activation::kNone, shortcut ? input : -1));
      channels = out;
    }
  }
  network.layers.push_back(pointwise(rounded(1280 * std::max(width, 1.0)), Activation::kRelu6));
  add_classifier(network);
  return network;
}

std::vector<PlainWeights> random_weights(const PlainNetwork& network, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<PlainWeights> weights;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const PlainLayer& layer = network.layers[i];
    PlainWeights& w = weights.emplace_back();
    if (layer.kind == Kind::kPool) continue;
    const int taps =
        (layer.kind == Kind::kDepthwise ? 1 : inputs_of(network, i)) * layer.kernel * layer.kernel;
    // He's variance, halved where no activation takes the other half away.
    const double gain = layer.activation == Activation::kNone ? 1 : 2;
    std::normal_distribution<float> normal(0, static_cast<float>(std::sqrt(gain / taps)));
    std::uniform_real_distribution<float> scale(0.8f, 1.2f), bias(-0.2f, 0.2f);
    w.values.resize(static_cast<std::size_t>(layer.out_channels) * static_cast<std::size_t>(taps));
    std::generate(w.values.begin(), w.values.end(), [&] { return normal(random); });
    for (int c = 0; c < layer.out_channels; ++c) {
      if (layer.kind != Kind::kLinear) w.affine.scale.push_back(scale(random));
      w.affine.bias.push_back(bias(random));
    }
  }
  return weights;
}

Result<PackedNetwork> pack(const PlainNetwork& network, const std::vector<PlainWeights>& weights) {
  kernels::WeightStore store;
  std::vector<kernels::Layer> layers;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const PlainLayer& layer = network.layers[i];
    const PlainWeights& w = weights[i];
    const int in = inputs_of(network, i), out = layer.out_channels, pad = layer.kernel / 2;
    switch (layer.kind) {
      case Kind::kConv:
        layers.emplace_back(kernels::ConvLayer{store.add_conv(w.values, out, in, layer.kernel), out,
                                               layer.stride, pad, pad, w.affine, layer.activation});
        break;
      case Kind::kPointwise:
        layers.emplace_back(kernels::PointwiseLayer{store.add_matrix(w.values, out, in), out, w.affine,
                                                    layer.activation, layer.residual_from});
        break;
      case Kind::kDepthwise:
        layers.emplace_back(kernels::DepthwiseLayer{store.add_depthwise(w.values, out, layer.kernel),
                                                    layer.stride, pad, pad, w.affine, layer.activation});
        break;
      case Kind::kPool:
        layers.emplace_back(kernels::GlobalPoolLayer{});
        break;
      case Kind::kLinear:
        layers.emplace_back(
            kernels::LinearLayer{store.add_matrix(w.values, out, in), out, w.affine, layer.activation});
        break;
    }
  }
  auto plan = kernels::Plan::build(layers, {kImageChannels, network.resolution, network.resolution});
  if (!plan) return Error{plan.error().code, network.name + ": " + plan.error().message};
  return PackedNetwork{std::move(store), std::move(*plan)};
}

}  // namespace dofa::bench
