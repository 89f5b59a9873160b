// SPDX-License-Identifier: Apache-2.0
// The shape of a Once-for-all MobileNetV3 without its weights: enough to name and count the layers of every
// sub-network. Values and pure functions; thread-safe.
#pragma once

#include <array>
#include <cstdint>

#include "daemon/engine/supernet.hpp"

namespace dofa::search {

/// One elastic block, or the fixed first one.
struct BlockOutline {
  std::uint32_t in_channels = 0;
  std::uint32_t out_channels = 0;
  std::uint32_t stride = 1;
  bool squeeze = false;     ///< squeeze-and-excite
  bool hard_swish = false;  ///< else ReLU
  bool shortcut = false;
  bool operator==(const BlockOutline&) const = default;
};

struct Outline {
  double width = 1;
  std::uint32_t stem_channels = 0;
  std::uint32_t stem_stride = 2;
  BlockOutline first;  ///< expands nothing, kernel 3
  /// Position by position; those beyond the supernet's depth stay empty.
  std::array<std::array<BlockOutline, engine::kBlocksPerStage>, engine::kStages> blocks;
  std::uint32_t final_channels = 0;
  std::uint32_t feature_channels = 0;
  std::uint32_t classes = 0;
};

Outline outline_of(const engine::Supernet& supernet);
/// OFA-MobileNetV3 as published, at a width multiplier.
Outline published_outline(double width, std::uint32_t classes = 1000);

/// Side of a feature map behind a convolution of this stride with padding kernel / 2.
constexpr std::uint32_t strided(std::uint32_t side, std::uint32_t stride) {
  return (side + stride - 1) / stride;
}
/// Channels between expansion and projection.
std::uint32_t mid_channels(const BlockOutline& block, std::uint32_t ratio);
/// Sides of what each stage's first block reads, and at the end of what the last block writes.
std::array<std::uint32_t, engine::kStages + 1> stage_sides(const Outline& outline, std::uint32_t resolution);

/// Multiply-accumulates of one elastic block that reads side x side, as engine::count_macs counts.
std::uint64_t block_macs(const BlockOutline& block, std::uint32_t side, std::uint32_t kernel,
                         std::uint32_t ratio);
/// Those of everything that is not elastic: stem, first block, and what follows the last one.
std::uint64_t fixed_macs(const Outline& outline, std::uint32_t resolution);

}  // namespace dofa::search
