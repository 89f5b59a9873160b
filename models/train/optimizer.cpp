// SPDX-License-Identifier: Apache-2.0
#include "models/train/optimizer.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace dofa::train {

at::Tensor orthogonalised(const at::Tensor& matrix) {
  static constexpr double kA = 3.4445;
  static constexpr double kB = -4.7750;
  static constexpr double kC = 2.0315;
  static constexpr int kIterations = 5;
  const bool tall = matrix.size(0) > matrix.size(1);
  at::Tensor x = tall ? matrix.t() : matrix;
  x = x / (x.norm() + 1e-7);
  for (int i = 0; i < kIterations; ++i) {
    const at::Tensor gram = x.mm(x.t());
    const at::Tensor factor = at::addmm(gram, gram, gram, kB, kC);
    x = at::addmm(x, factor, x, kA);
  }
  return tall ? x.t() : x;
}

Optimizer::Optimizer(std::vector<Parameter> parameters, const OptimizerOptions& options)
    : parameters_(std::move(parameters)), options_(options) {
  for (const Parameter& parameter : parameters_) {
    velocities_.push_back(at::zeros_like(parameter.value.detach()));
    averages_.push_back(parameter.value.detach().clone());
  }
}

void Optimizer::step_of(std::size_t index, const at::Tensor& gradient, double learning_rate) {
  const Parameter& parameter = parameters_[index];
  at::Tensor value = parameter.value.detach();
  at::Tensor& velocity = velocities_[index];
  if (options_.orthogonal_rate > 0 && parameter.kind == ParameterKind::kMatrix) {
    // A batch norm follows, so only the direction of the weights counts: their length is kept at one a row,
    // and the step's length is then the angle it turns them by.
    velocity.mul_(options_.momentum).add_(gradient);
    const at::Tensor turn = orthogonalised(gradient.add(velocity, options_.momentum).flatten(1));
    const auto rows = static_cast<double>(value.size(0));
    const double stretch = std::sqrt(std::max(1.0, rows / static_cast<double>(turn.size(1))));
    value.sub_(turn.view_as(value), learning_rate * options_.orthogonal_rate * stretch);
    value.mul_(std::sqrt(rows) / (value.norm() + 1e-7));
    return;
  }
  const at::Tensor along =
      parameter.kind != ParameterKind::kOther ? gradient.add(value, options_.weight_decay) : gradient;
  velocity.mul_(options_.momentum).add_(along);
  value.sub_(along.add(velocity, options_.momentum), learning_rate);
}

void Optimizer::step(const std::vector<at::Tensor>& gradients, double learning_rate) {
  const torch::NoGradGuard no_gradients;
  ++steps_;
  // The average of the first steps would otherwise hold on to the random start.
  const double decay = std::min(options_.ema_decay,
                                (1.0 + static_cast<double>(steps_)) / (10.0 + static_cast<double>(steps_)));
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor value = parameters_[i].value.detach();
    step_of(i, gradients[i].defined() ? gradients[i] : at::zeros_like(value), learning_rate);
    averages_[i].lerp_(value, 1.0 - decay);
  }
}

}  // namespace dofa::train
