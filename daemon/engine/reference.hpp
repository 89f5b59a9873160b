// SPDX-License-Identifier: Apache-2.0
// The reference executor: a sub-network run with plain ATen operators on views of the supernet's arrays,
// layer by layer as the paper draws it. Slow, obviously right, and the yardstick for every faster executor;
// calibration runs on it too. Stateless; thread-safe. Needs LibTorch.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "daemon/engine/subnet.hpp"

namespace dofa::engine {

/// Normalises `x` (N, C, H, W) with the learnt half `norm`; `moments` are the layer's own, by whose address
/// the layer can be told.
using Normalise =
    std::function<at::Tensor(const at::Tensor& x, const BatchNorm& norm, const Moments& moments)>;

/// (x - mean) / sqrt(variance + epsilon) * weight + bias with the layer's stored moments.
at::Tensor normalise_with_moments(const at::Tensor& x, const BatchNorm& norm, const Moments& moments);

/// Logits (N, classes) of `images` (N, 3, resolution, resolution), float32 on the CPU.
at::Tensor run_reference(const Supernet& supernet, const Subnet& subnet, const at::Tensor& images,
                         const Normalise& normalise = normalise_with_moments);

}  // namespace dofa::engine
