// SPDX-License-Identifier: Apache-2.0
// Stochastic gradient descent with Nesterov momentum (Sutskever et al., ICML 2013), optionally with the steps
// of pointwise convolutions made orthogonal (Muon: Jordan et al., 2024), and the moving average of the
// weights that is kept in the end (Polyak and Juditsky, 1992). Its whole memory can be saved and put back.
// Not thread-safe. Needs LibTorch.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "models/train/network.hpp"

namespace dofa::train {

/// The numbers of a Recipe that concern the optimizer.
struct OptimizerOptions {
  double momentum = 0.9;
  double weight_decay = 5e-4;
  double ema_decay = 0.998;
  double orthogonal_rate = 0;  ///< of the orthogonal steps, relative to the learning rate; 0: none
};

/// The semi-orthogonal matrix nearest to `matrix` (rows, columns), to within about 0.3 of each singular
/// value: five Newton-Schulz iterations with Jordan's quintic coefficients. A zero matrix stays zero.
at::Tensor orthogonalised(const at::Tensor& matrix);

class Optimizer {
 public:
  Optimizer(std::vector<Parameter> parameters, const OptimizerOptions& options);

  /// One step along `gradients`, in the order of the parameters; an undefined one stands for zero.
  void step(const std::vector<at::Tensor>& gradients, double learning_rate);

  [[nodiscard]] const std::vector<Parameter>& parameters() const { return parameters_; }
  [[nodiscard]] std::vector<at::Tensor>& velocities() { return velocities_; }
  /// The averaged weights.
  [[nodiscard]] std::vector<at::Tensor>& averages() { return averages_; }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  void set_steps(std::uint64_t steps) { steps_ = steps; }

 private:
  void step_of(std::size_t index, const at::Tensor& gradient, double learning_rate);

  std::vector<Parameter> parameters_;
  std::vector<at::Tensor> velocities_;
  std::vector<at::Tensor> averages_;
  const OptimizerOptions options_;
  std::uint64_t steps_ = 0;
};

}  // namespace dofa::train
