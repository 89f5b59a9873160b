// SPDX-License-Identifier: Apache-2.0
#include "models/search/latency_table.hpp"

namespace dofa::search {
namespace {

std::string map_of(std::uint32_t side, std::uint32_t channels) {
  const std::string text = std::to_string(side);
  return text + "x" + text + "x" + std::to_string(channels);
}

std::string block_name(const BlockOutline& block, std::uint32_t side, std::uint32_t kernel,
                       std::uint32_t mid) {
  const auto flag = [](bool value) { return std::string(value ? "1" : "0"); };
  return "expanded_conv-input:" + map_of(side, block.in_channels) +
         "-output:" + map_of(strided(side, block.stride), block.out_channels) +
         "-expand:" + std::to_string(mid) + "-kernel:" + std::to_string(kernel) +
         "-stride:" + std::to_string(block.stride) + "-idskip:" + flag(block.shortcut) +
         "-se:" + flag(block.squeeze) + "-hs:" + flag(block.hard_swish);
}

Result<double> find(const LatencyTable& table, std::uint32_t resolution, const std::string& layer) {
  const auto size = table.layers.find(resolution);
  if (size == table.layers.end())
    return Error{ErrorCode::kNotFound, "the latency table has no resolution " + std::to_string(resolution)};
  const auto found = size->second.find(layer);
  if (found == size->second.end())
    return Error{ErrorCode::kNotFound, "the latency table lacks layer " + layer + " at resolution " +
                                           std::to_string(resolution) +
                                           ": it was made for another network or width"};
  return found->second.mean_us;
}

}  // namespace

std::vector<std::uint32_t> LatencyTable::resolutions() const {
  std::vector<std::uint32_t> sizes;
  for (const auto& [resolution, entries] : layers) sizes.push_back(resolution);
  return sizes;
}

std::string layer_name(const BlockUse& use) {
  return block_name(use.block, use.side, use.kernel, mid_channels(use.block, use.ratio));
}

FixedNames fixed_names(const Outline& outline, std::uint32_t resolution) {
  const auto sides = stage_sides(outline, resolution);
  const std::uint32_t last = sides[engine::kStages];
  const std::uint32_t last_channels = outline.blocks[engine::kStages - 1][0].out_channels;
  FixedNames names;
  names.stem = "Conv-input:" + map_of(resolution, 3) + "-output:" + map_of(sides[0], outline.stem_channels);
  names.first_block = block_name(outline.first, sides[0], 3, outline.first.in_channels);
  names.final_expand =
      "Conv_1-input:" + map_of(last, last_channels) + "-output:" + map_of(last, outline.final_channels);
  names.pool = "AvgPool2D-input:" + map_of(last, outline.final_channels) +
               "-output:" + map_of(1, outline.final_channels);
  names.feature_mix =
      "Conv_2-input:" + map_of(1, outline.final_channels) + "-output:" + map_of(1, outline.feature_channels);
  names.classifier =
      "Logits-input:" + map_of(1, outline.feature_channels) + "-output:" + std::to_string(outline.classes);
  return names;
}

Result<Lookup> latency_lookup(const Outline& outline, const Space& space, const LatencyTable& table) {
  const Correction correction = table.correction.value_or(Correction{});
  const auto fixed = [&](std::uint32_t resolution) -> Result<double> {
    const FixedNames names = fixed_names(outline, resolution);
    double sum = 0;
    for (const std::string* name : {&names.stem, &names.first_block, &names.final_expand, &names.pool,
                                    &names.feature_mix, &names.classifier}) {
      const Result<double> time = find(table, resolution, *name);
      if (!time) return time.error();
      sum += *time;
    }
    return correction.scale * sum + correction.offset_us;
  };
  const auto block = [&](std::uint32_t resolution, const BlockUse& use) -> Result<double> {
    const Result<double> time = find(table, resolution, layer_name(use));
    if (!time) return time.error();
    return correction.scale * *time + correction.block_us;
  };
  return Lookup::make(outline, space, fixed, block);
}

}  // namespace dofa::search
