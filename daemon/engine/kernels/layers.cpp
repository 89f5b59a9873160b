// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/kernels/layers.hpp"

#include <cmath>

namespace dofa::engine::kernels {

Affine fold_batch_norm(std::span<const float> weight, std::span<const float> bias,
                       std::span<const float> mean, std::span<const float> variance, float epsilon) {
  Affine affine;
  affine.scale.reserve(weight.size());
  affine.bias.reserve(weight.size());
  for (std::size_t c = 0; c < weight.size(); ++c) {
    // In double: the subtraction cancels where the mean is large.
    const double scale = weight[c] / std::sqrt(static_cast<double>(variance[c]) + epsilon);
    affine.scale.push_back(static_cast<float>(scale));
    affine.bias.push_back(static_cast<float>(bias[c] - mean[c] * scale));
  }
  return affine;
}

}  // namespace dofa::engine::kernels
