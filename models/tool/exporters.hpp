// SPDX-License-Identifier: Apache-2.0
// The formats a sub-network can leave in. Single-threaded.
#pragma once

#include <string>

#include "daemon/base.hpp"
#include "daemon/engine/subnet.hpp"

namespace dofa::tool {

/// A TorchScript module: forward(N x 3 x resolution x resolution, float32) → N x classes logits.
Result<void> export_torchscript(const engine::Supernet& supernet, const engine::Subnet& subnet,
                                const std::string& path);

/// An ONNX model (opset 14) with input "image" (N x 3 x resolution x resolution) and output "logits" (N x
/// classes).
Result<void> export_onnx(const engine::Supernet& supernet, const engine::Subnet& subnet,
                         std::uint32_t resolution, const std::string& path);

}  // namespace dofa::tool
