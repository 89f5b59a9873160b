// SPDX-License-Identifier: Apache-2.0
// The optimizer against LibTorch's own and against a singular value decomposition.
#include "models/train/optimizer.hpp"

#include <torch/torch.h>

#include "tests/support/catch.hpp"

using namespace dofa::train;

namespace {

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

OptimizerOptions plain() {
  OptimizerOptions options;
  options.momentum = 0.8;
  options.weight_decay = 0.01;
  options.orthogonal_rate = 0;
  return options;
}

}  // namespace

TEST_CASE("an orthogonalised matrix keeps its singular vectors and has singular values near one") {
  torch::manual_seed(3);
  const auto [rows, columns] = GENERATE(table<std::int64_t, std::int64_t>({{8, 40}, {40, 8}, {16, 16}}));
  const at::Tensor matrix = torch::randn({rows, columns});
  const at::Tensor result = orthogonalised(matrix);
  REQUIRE(result.sizes() == matrix.sizes());
  const auto [u, values, vh] = at::linalg_svd(matrix, false);
  // Small singular values need more iterations than there are; of these shapes none is below 1e-2 of the norm
  // but the square one's.
  const at::Tensor within = u.t().mm(result).mm(vh.t());
  const at::Tensor diagonal = within.diagonal();
  CHECK(difference(within, at::diag(diagonal)) < 1e-3);
  CHECK(diagonal.max().item<double>() < 1.25);
  if (rows != columns) CHECK(diagonal.min().item<double>() > 0.65);
  CHECK(diagonal.min().item<double>() > 0);
}

TEST_CASE("nothing orthogonalised is nothing") {
  CHECK(orthogonalised(at::zeros({3, 5})).abs().max().item<double>() == 0);
}

TEST_CASE("plain steps are those of LibTorch's SGD with Nesterov momentum") {
  torch::manual_seed(4);
  const at::Tensor start = torch::randn({6, 5, 1, 1});
  const auto kind = GENERATE(ParameterKind::kMatrix, ParameterKind::kWeight, ParameterKind::kOther);
  at::Tensor ours = start.clone();
  at::Tensor theirs = start.clone().requires_grad_(true);
  Optimizer optimizer({{"w", ours, kind}}, plain());
  torch::optim::SGD reference({theirs},
                              torch::optim::SGDOptions(0.1).momentum(0.8).nesterov(true).weight_decay(
                                  kind == ParameterKind::kOther ? 0.0 : 0.01));
  for (int i = 0; i < 5; ++i) {
    const at::Tensor gradient = torch::randn_like(start);
    theirs.mutable_grad() = gradient.clone();
    reference.step();
    optimizer.step({gradient}, 0.1);
  }
  CHECK(difference(ours, theirs.detach()) < 1e-5);
}

TEST_CASE("orthogonal steps turn a convolution's weights and keep their length") {
  torch::manual_seed(5);
  OptimizerOptions options = plain();
  options.orthogonal_rate = 0.5;
  at::Tensor matrix = torch::randn({24, 8, 1, 1});
  at::Tensor depthwise = torch::randn({24, 1, 3, 3});
  const at::Tensor depthwise_before = depthwise.clone();
  Optimizer optimizer(
      {{"pointwise", matrix, ParameterKind::kMatrix}, {"depthwise", depthwise, ParameterKind::kWeight}},
      options);
  const auto length = [&] { return matrix.norm().item<double>(); };
  const at::Tensor gradient = torch::randn_like(matrix);
  optimizer.step({gradient, at::Tensor()}, 0.0);
  CHECK(length() == Approx(std::sqrt(24.0)));
  const at::Tensor before = matrix.clone();
  optimizer.step({gradient, at::Tensor()}, 0.2);
  CHECK(length() == Approx(std::sqrt(24.0)));
  // Downhill, by the rate times 0.5 of the length.
  const at::Tensor turn = matrix - before;
  CHECK((turn * gradient).sum().item<double>() < 0);
  CHECK(turn.norm().item<double>() / length() == Approx(0.1).epsilon(0.2));
  // What is no matrix takes plain steps: here by weight decay alone, with its momentum.
  CHECK(difference(depthwise, depthwise_before * (1 - 0.2 * 0.01 * (1 + 0.8 * 1.8))) < 1e-5);
}

TEST_CASE("the average follows the weights") {
  at::Tensor weight = at::zeros({4});
  OptimizerOptions options = plain();
  options.momentum = 0;
  options.ema_decay = 0.5;
  Optimizer optimizer({{"b", weight, ParameterKind::kOther}}, options);
  optimizer.step({at::full({4}, -1.0)}, 1.0);
  // The first step's decay is 2 / 11, below the asked one.
  CHECK(difference(optimizer.averages()[0], at::full({4}, 9.0 / 11)) < 1e-6);
}
