// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/kernels/strips.hpp"

#include <algorithm>

namespace dofa::engine::kernels {
namespace {
/// Floats that a block keeps busy at a time. Half of a 1 MiB second-level cache (Zen 4/5, Neoverse; Intel
/// servers have 2 MiB): the weights need the rest.
constexpr std::size_t kCacheFloats = std::size_t{512} * 1024 / sizeof(float);
/// Floats of a group's ring: stays in the second-level cache with room to spare.
constexpr std::size_t kRingFloats = std::size_t{128} * 1024 / sizeof(float);
constexpr int kGroupBlocks = 2;
}  // namespace

ArenaSizes choose_strips(BlockStep& step) {
  const int k = step.depthwise.kernel;
  const int stride = step.depthwise.stride;
  const int blocks = blocks_of(step.mid.channels);
  // Columns that the last output pixel reads, or the produced row where the stride leaves some over.
  const int columns =
      std::max((step.mid.width - 1) * stride + k, step.depthwise.pad_before + step.produced.width);
  const auto ring_rows = [&](int rows) { return (rows - 1) * stride + k; };
  const std::size_t row = static_cast<std::size_t>(columns) * kBlock;

  step.group_blocks = step.producer == Producer::kConv ? blocks : std::min(blocks, kGroupBlocks);
  const std::size_t whole = row * blocks * step.produced.height + step.mid.floats();
  // The produced rows must still be there when the project layer adds them; and a convolution makes all
  // channels at once, so that only strips give several threads something to do.
  step.strips_outer =
      step.projected && !step.gated &&
      (step.residual == Residual::kProduced || step.producer == Producer::kConv || whole > 2 * kCacheFloats);
  int rows = step.mid.height;
  const auto too_large = [&] {
    if (!step.strips_outer) return row * step.group_blocks * ring_rows(rows) > kRingFloats;
    return (row * ring_rows(rows) + static_cast<std::size_t>(rows) * step.mid.width * kBlock) * blocks >
           kCacheFloats;
  };
  while (rows > 1 && too_large()) --rows;
  step.strip_rows = rows;

  DepthwiseArgs& d = step.depthwise;
  d.ring_rows = std::min(ring_rows(rows), std::max(step.produced.height, 1));
  d.ring_row = row;
  d.ring_block = row * d.ring_rows;
  d.out_block =
      static_cast<std::size_t>(step.strips_outer ? rows : step.mid.height) * step.mid.width * kBlock;

  ArenaSizes sizes;
  sizes.ring = d.ring_block * (step.strips_outer ? blocks : step.group_blocks);
  (step.strips_outer ? sizes.strip : sizes.mid) = d.out_block * blocks;
  if (step.producer == Producer::kConv)
    sizes.image = static_cast<std::size_t>(step.in.channels) * step.conv_kernel *
                  (step.in.width + step.conv_pad_before + step.conv_pad_after + kBlock);
  sizes.vector = static_cast<std::size_t>(std::max(blocks, blocks_of(step.reduce.out_channels))) * kBlock;
  if (step.gated && step.projected)
    sizes.scaled = static_cast<std::size_t>(blocks_of(step.out.channels)) * step.mid.channels * kBlock;
  return sizes;
}

}  // namespace dofa::engine::kernels
