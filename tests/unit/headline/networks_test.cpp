// SPDX-License-Identifier: Apache-2.0
// The competitors' networks: their multiply-adds against the published ones, their answers against LibTorch's
// operators on the same weights.
#include "tests/bench/headline/networks.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "daemon/engine/kernels/run.hpp"
#include "daemon/engine/kernels/simd.hpp"
#include "tests/bench/headline/published.hpp"
#include "tests/support/catch.hpp"

namespace dofa::bench {
namespace {
namespace kernels = engine::kernels;
using Kind = PlainLayer::Kind;

at::Tensor tensor(const std::vector<float>& values, at::IntArrayRef shape) {
  return at::tensor(values).reshape(shape);
}

at::Tensor run_layer(const PlainLayer& layer, const PlainWeights& w, const at::Tensor& x) {
  const std::int64_t out = layer.out_channels, in = x.size(1), k = layer.kernel;
  switch (layer.kind) {
    case Kind::kPool:
      return x.mean({2, 3});
    case Kind::kLinear:
      return at::linear(x, tensor(w.values, {out, in}), at::tensor(w.affine.bias));
    case Kind::kDepthwise:
      return at::conv2d(x, tensor(w.values, {out, 1, k, k}), {}, layer.stride, k / 2, 1, out);
    case Kind::kConv:
    case Kind::kPointwise:
      return at::conv2d(x, tensor(w.values, {out, in, k, k}), {}, layer.stride, k / 2);
  }
  return {};
}

std::vector<float> run_with_aten(const PlainNetwork& network, const std::vector<PlainWeights>& weights,
                                 const at::Tensor& image) {
  const c10::InferenceMode no_gradients;
  std::vector<at::Tensor> outputs;
  at::Tensor x = image;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const PlainLayer& layer = network.layers[i];
    const kernels::Affine& affine = weights[i].affine;
    x = run_layer(layer, weights[i], x);
    if (!affine.scale.empty()) {
      const std::int64_t c = layer.out_channels;
      x = x * tensor(affine.scale, {1, c, 1, 1}) + tensor(affine.bias, {1, c, 1, 1});
    }
    if (layer.activation == kernels::Activation::kRelu6) x = x.clamp(0, 6);
    if (layer.residual_from >= 0) x = x + outputs[static_cast<std::size_t>(layer.residual_from)];
    outputs.push_back(x);
  }
  x = x.contiguous();
  return {x.data_ptr<float>(), x.data_ptr<float>() + x.numel()};
}

/// Largest difference of the kernels' logits from LibTorch's, over the range of those.
double difference(const PlainNetwork& network) {
  const auto weights = random_weights(network, 5);
  const auto packed = pack(network, weights);
  if (!packed) FAIL(packed.error().message);
  at::manual_seed(3);
  const at::Tensor image = at::randn({1, 3, network.resolution, network.resolution});
  const std::vector<float> expected = run_with_aten(network, weights, image);
  kernels::Arena arena(packed->plan.arena());
  const auto got =
      kernels::run(packed->plan, arena, {image.data_ptr<float>(), static_cast<std::size_t>(image.numel())});
  if (!got) FAIL(got.error().message);
  REQUIRE(got->size() == expected.size());
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double d = std::abs(double{(*got)[i]} - expected[i]);
    if (!(d <= worst)) worst = d;  // keeps a not-a-number
  }
  const auto [low, high] = std::minmax_element(expected.begin(), expected.end());
  CHECK(*high - *low > 0.5);  // answers that hardly differ would compare as equal
  return worst / (double{*high} - *low);
}
}  // namespace

TEST_CASE("MobileNetV1 and V2 of every width answer what LibTorch's operators do") {
  const bool second = GENERATE(false, true);
  const double width = GENERATE(0.25, 0.35, 0.5, 0.75, 1.0);
  const int resolution = GENERATE(224, 97);
  if (second ? width < 0.35 : width == 0.35) return;
  const PlainNetwork network = second ? mobilenet_v2(width, resolution) : mobilenet_v1(width, resolution);
  INFO(network.name);
  CHECK(difference(network) < 2e-5);
}

TEST_CASE("the competitors have the multiply-adds that their papers state") {
  for (const PublishedPeer& peer : published_peers()) {
    const PlainNetwork network =
        peer.family == PeerFamily::kUsV2 ? mobilenet_v2(peer.width) : mobilenet_v1(peer.width);
    INFO(network.name);
    const auto packed = pack(network, random_weights(network));
    REQUIRE(packed.ok());
    CHECK(static_cast<double>(packed->plan.macs()) / 1e6 == Approx(peer.mmacs).epsilon(0.015));
  }
}

TEST_CASE("V1 at width 1 has MobileNetV1's parameters, V2 at width 1 MobileNetV2's") {
  // Keras counts 4,253,864 less 21,888 running statistics, torchvision 3,504,872; batch normalisation has two
  // trained values a channel, as has an Affine.
  const auto parameters = [](const PlainNetwork& network) {
    std::size_t count = 0;
    for (const PlainWeights& w : random_weights(network))
      count += w.values.size() + w.affine.scale.size() + w.affine.bias.size();
    return count;
  };
  CHECK(parameters(mobilenet_v1(1)) == 4'231'976);
  CHECK(parameters(mobilenet_v2(1)) == 3'504'872);
}

}  // namespace dofa::bench
