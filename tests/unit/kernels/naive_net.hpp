// SPDX-License-Identifier: Apache-2.0
// A network with random weights, described twice: to the plan builder, and to a naive evaluator that loops
// over PyTorch's weight layouts in double precision and shares no code with the kernels.
#pragma once

#include <random>
#include <vector>

#include "daemon/engine/kernels/layers.hpp"
#include "daemon/engine/kernels/plan.hpp"

namespace dofa::engine::kernels::testing {

/// A feature map in plain [channels][height][width] order.
struct Map {
  int channels = 0, height = 0, width = 0;
  std::vector<double> values;
  double& at(int c, int y, int x) { return values[(static_cast<std::size_t>(c) * height + y) * width + x]; }
  [[nodiscard]] double at(int c, int y, int x) const {
    return values[(static_cast<std::size_t>(c) * height + y) * width + x];
  }
};

class NaiveNet {
 public:
  /// Weights are stored for `spare` more output and input channels than each layer uses: a sub-network of a
  /// supernet.
  explicit NaiveNet(Shape input, unsigned seed = 1, int spare = 0)
      : input_(input), now_(input), random_(seed), spare_(spare) {}

  NaiveNet& conv(int out, int kernel, int stride, Activation activation);
  NaiveNet& pointwise(int out, Activation activation, int residual_from = -1);
  NaiveNet& depthwise(int kernel, int stride, Activation activation);
  /// The same with paddings that differ, as TensorFlow pads.
  NaiveNet& depthwise(int kernel, int stride, int pad_before, int pad_after, Activation activation);
  NaiveNet& squeeze_excite(int hidden);
  NaiveNet& pool();
  NaiveNet& linear(int out, Activation activation, Precision precision = Precision::kFloat);

  [[nodiscard]] const std::vector<Layer>& layers() const { return layers_; }
  [[nodiscard]] Shape input() const { return input_; }
  [[nodiscard]] int size() const { return static_cast<int>(layers_.size()); }
  [[nodiscard]] std::vector<float> image();
  [[nodiscard]] std::vector<double> evaluate(const std::vector<float>& image) const;

 private:
  struct Raw {
    std::vector<float> weights, second;
    int stored_in = 0;
  };
  std::vector<float> random_floats(std::size_t count, double scale);
  Affine random_affine(int channels);

  Shape input_, now_;
  std::mt19937 random_;
  int spare_;
  WeightStore store_;
  std::vector<Layer> layers_;
  std::vector<Raw> raw_;
};

/// Runs `net` through the kernels on `workers` threads and through the naive evaluator: the largest
/// difference over the range of the naive answer.
double relative_error(NaiveNet& net, int workers = 1);

/// The same on every SIMD target of this machine: the worst of them.
double relative_error_on_all_targets(NaiveNet& net);

}  // namespace dofa::engine::kernels::testing
