// SPDX-License-Identifier: Apache-2.0
// The training kernels, forward and backward, against ATen's convolution and batch normalisation.
#include <torch/torch.h>

#include "models/train/layers.hpp"
#include "tests/support/catch.hpp"

using namespace dofa::train;

namespace {

double difference(const at::Tensor& ours, const at::Tensor& theirs) {
  return ((ours - theirs).abs().max() / theirs.abs().max()).item<double>();
}

at::Tensor leaf(const at::Tensor& values) {
  return values.requires_grad_(true);
}

}  // namespace

TEST_CASE("depthwise convolution and its gradients are ATen's") {
  torch::manual_seed(1);
  const int kernel = GENERATE(3, 5, 7);
  const int stride = GENERATE(1, 2);
  const int height = GENERATE(2, 7, 8);
  INFO("kernel " << kernel << " stride " << stride << " height " << height);
  const at::Tensor x = leaf(torch::randn({2, height, height + 1, 24}));
  const at::Tensor weight = leaf(torch::randn({24, 1, kernel, kernel}));
  const at::Tensor ours = depthwise(x, weight, stride);
  const at::Tensor theirs =
      at::conv2d(x.permute({0, 3, 1, 2}), weight, {}, stride, kernel / 2, 1, 24).permute({0, 2, 3, 1});
  REQUIRE(ours.sizes() == theirs.sizes());
  CHECK(difference(ours, theirs) < 1e-5);
  const at::Tensor gradient = torch::randn_like(theirs);
  const auto our_gradients = torch::autograd::grad({ours}, {x, weight}, {gradient});
  const auto their_gradients = torch::autograd::grad({theirs}, {x, weight}, {gradient});
  CHECK(difference(our_gradients[0], their_gradients[0]) < 1e-5);
  CHECK(difference(our_gradients[1], their_gradients[1]) < 1e-5);
}

TEST_CASE("normalisation with activation and its gradients are ATen's") {
  torch::manual_seed(2);
  const auto activation = GENERATE(NormActivation::kNone, NormActivation::kRelu, NormActivation::kHardSwish);
  const int channels = GENERATE(8, 40, 104);  // one vector, four and one, several of four
  // A mean far from zero: sums of squares would cancel.
  const at::Tensor x = leaf(torch::randn({3, 5, 7, channels}) * 2 + 300 * torch::rand({channels}));
  const at::Tensor weight = leaf(torch::randn({channels}));
  const at::Tensor bias = leaf(torch::randn({channels}));
  BatchMoments moments;
  const at::Tensor ours = normalise(x, weight, bias, activation, &moments);
  at::Tensor theirs = at::batch_norm(x.permute({0, 3, 1, 2}).to(at::kDouble), weight.to(at::kDouble),
                                     bias.to(at::kDouble), {}, {}, true, 0, 1e-5, false);
  if (activation == NormActivation::kRelu) theirs = at::relu(theirs);
  if (activation == NormActivation::kHardSwish) theirs = at::hardswish(theirs);
  theirs = theirs.permute({0, 2, 3, 1});
  CHECK(difference(ours, theirs) < 1e-4);
  CHECK(difference(moments.mean, x.mean({0, 1, 2})) < 1e-5);
  CHECK(difference(moments.variance, x.var({0, 1, 2}, false)) < 1e-3);
  const at::Tensor gradient = torch::randn_like(ours);
  const auto our_gradients = torch::autograd::grad({ours}, {x, weight, bias}, {gradient});
  const auto their_gradients = torch::autograd::grad({theirs}, {x, weight, bias}, {gradient.to(at::kDouble)});
  for (std::size_t i = 0; i < 3; ++i) CHECK(difference(our_gradients[i], their_gradients[i]) < 1e-3);
}

TEST_CASE("channel counts that the kernels do not know go through ATen") {
  torch::manual_seed(3);
  const at::Tensor x = leaf(torch::randn({2, 4, 4, 12}));
  const at::Tensor weight = leaf(torch::randn({12, 1, 3, 3}));
  const at::Tensor theirs =
      at::conv2d(x.permute({0, 3, 1, 2}), weight, {}, 2, 1, 1, 12).permute({0, 2, 3, 1});
  CHECK(difference(depthwise(x, weight, 2), theirs) < 1e-5);
}
