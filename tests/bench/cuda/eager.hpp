// SPDX-License-Identifier: Apache-2.0
// A sub-network as LibTorch runs it operator by operator, the way a Python program would: convolutions,
// batch_norm, hardswish, on any device and type, channels_last. What the captured graphs are compared with.
// One thread at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "daemon/engine/ofa_model.hpp"

namespace dofa::bench {

class EagerNet {
 public:
  /// Copies the sub-network's weights to the device.
  EagerNet(const engine::Supernet& supernet, const engine::Subnet& subnet, at::TensorOptions options);
  /// Logits of images (N, 3, r, r) that are on the device, in its type.
  [[nodiscard]] at::Tensor forward(const at::Tensor& images) const;

 private:
  std::vector<std::function<at::Tensor(const at::Tensor&)>> layers_;
};

/// Times `run` of the net on one image in a graph of LibTorch's own capturing, `runs` times; empty where the
/// build has no CUDA. Milliseconds, copy of the logits included.
std::vector<double> time_graphed(const EagerNet& net, const at::Tensor& image, int runs);

}  // namespace dofa::bench
