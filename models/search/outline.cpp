// SPDX-License-Identifier: Apache-2.0
#include "models/search/outline.hpp"

namespace dofa::search {
namespace {

BlockOutline outline_of(const engine::SupernetBlock& block) {
  return {block.in_channels,
          block.out_channels,
          block.stride,
          block.squeeze_excite.channels != 0,
          block.activation == engine::Activation::kHardSwish,
          block.has_shortcut};
}

}  // namespace

Outline outline_of(const engine::Supernet& supernet) {
  Outline outline;
  outline.width = supernet.width;
  outline.stem_channels = supernet.stem_channels;
  outline.stem_stride = supernet.stem_stride;
  outline.first = outline_of(supernet.blocks.front());
  for (std::size_t stage = 0; stage < engine::kStages; ++stage)
    for (std::size_t i = 0; i < supernet.max_depth; ++i)
      outline.blocks[stage][i] = outline_of(supernet.blocks[1 + stage * supernet.max_depth + i]);
  outline.final_channels = supernet.final_channels;
  outline.feature_channels = supernet.feature_channels;
  outline.classes = supernet.classes;
  return outline;
}

Outline published_outline(double width, std::uint32_t classes) {
  struct Stage {
    int channels;
    std::uint32_t stride;
    bool squeeze;
    bool hard_swish;
  };
  constexpr std::array<Stage, engine::kStages> kStagesOfPaper{{{24, 2, false, false},
                                                               {40, 2, true, false},
                                                               {80, 2, false, true},
                                                               {112, 1, true, true},
                                                               {160, 2, true, true}}};
  const auto scaled = [&](int channels) { return engine::make_divisible(channels * width); };
  Outline outline;
  outline.width = width;
  outline.stem_channels = scaled(16);
  outline.first = {outline.stem_channels, outline.stem_channels, 1, false, false, true};
  std::uint32_t in = outline.stem_channels;
  for (std::size_t stage = 0; stage < engine::kStages; ++stage) {
    const Stage& paper = kStagesOfPaper[stage];
    const std::uint32_t out = scaled(paper.channels);
    for (std::size_t i = 0; i < engine::kBlocksPerStage; ++i) {
      const std::uint32_t stride = i == 0 ? paper.stride : 1;
      outline.blocks[stage][i] = {in, out, stride, paper.squeeze, paper.hard_swish, stride == 1 && in == out};
      in = out;
    }
  }
  outline.final_channels = scaled(960);
  outline.feature_channels = scaled(1280);
  outline.classes = classes;
  return outline;
}

std::uint32_t mid_channels(const BlockOutline& block, std::uint32_t ratio) {
  return engine::make_divisible(static_cast<double>(block.in_channels) * ratio);
}

std::array<std::uint32_t, engine::kStages + 1> stage_sides(const Outline& outline, std::uint32_t resolution) {
  std::array<std::uint32_t, engine::kStages + 1> sides{strided(resolution, outline.stem_stride)};
  for (std::size_t stage = 0; stage < engine::kStages; ++stage)
    sides[stage + 1] = strided(sides[stage], outline.blocks[stage][0].stride);
  return sides;
}

std::uint64_t block_macs(const BlockOutline& block, std::uint32_t side, std::uint32_t kernel,
                         std::uint32_t ratio) {
  const std::uint64_t mid = mid_channels(block, ratio);
  const std::uint64_t in_pixels = std::uint64_t{side} * side;
  const std::uint64_t out_side = strided(side, block.stride);
  std::uint64_t macs = in_pixels * block.in_channels * mid;
  macs += out_side * out_side * mid * (std::uint64_t{kernel} * kernel + block.out_channels);
  const std::uint64_t squeezed = mid / 4;
  if (block.squeeze) macs += 2 * mid * engine::make_divisible(static_cast<double>(squeezed));
  return macs;
}

std::uint64_t fixed_macs(const Outline& outline, std::uint32_t resolution) {
  const auto sides = stage_sides(outline, resolution);
  const std::uint64_t first = std::uint64_t{sides[0]} * sides[0];
  const std::uint64_t last = std::uint64_t{sides[engine::kStages]} * sides[engine::kStages];
  const std::uint64_t last_channels = outline.blocks[engine::kStages - 1][0].out_channels;
  std::uint64_t macs = first * outline.stem_channels * 27;  // 3 channels, 3x3
  macs += first * outline.stem_channels * (9 + std::uint64_t{outline.stem_channels});
  macs += last * last_channels * outline.final_channels;
  macs += std::uint64_t{outline.final_channels} * outline.feature_channels;
  return macs + std::uint64_t{outline.feature_channels} * outline.classes;
}

}  // namespace dofa::search
