// SPDX-License-Identifier: Apache-2.0
// The layers a training step is made of, as differentiable functions of tensors laid out N x H x W x C (on a
// GPU: what PyTorch calls channels_last). On the CPU float32 goes through kernels.hpp, where ATen's own take
// several times as long; everything else goes through ATen. Stateless; thread-safe as autograd is. Needs
// LibTorch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "models/train/kernels.hpp"

namespace dofa::train {

/// x (N, H, W, C) by weight (C, 1, k, k), padded by k / 2 → (N, ceil(H / stride), ceil(W / stride), C).
at::Tensor depthwise(const at::Tensor& x, const at::Tensor& weight, std::int64_t stride);

/// x (N, H, W, in) by weight (out, in, 1, 1) → (N, H, W, out).
at::Tensor pointwise(const at::Tensor& x, const at::Tensor& weight);

/// The mean and biased variance of a batch, float32, one value a channel.
struct BatchMoments {
  at::Tensor mean;
  at::Tensor variance;
};

/// Batch normalisation of x (N, H, W, C) with the batch's own statistics, then the activation. Gives the
/// statistics to `moments` where that is asked for.
at::Tensor normalise(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     NormActivation activation, BatchMoments* moments = nullptr);

/// x * clamp(x + 3, 0, 6) / 6.
at::Tensor hard_swish(const at::Tensor& x);

/// Squeeze-and-excite (Hu et al., CVPR 2018) of x (N, H, W, C): reduce (S, C, 1, 1), expand (C, S, 1, 1) and
/// their biases; the gate is clamp(y + 3, 0, 6) / 6 (Howard et al., ICCV 2019).
at::Tensor squeeze_excite(const at::Tensor& x, const at::Tensor& reduce_weight, const at::Tensor& reduce_bias,
                          const at::Tensor& expand_weight, const at::Tensor& expand_bias);

}  // namespace dofa::train
