// SPDX-License-Identifier: Apache-2.0
#include "models/search/lookup.hpp"

namespace dofa::search {

Result<Lookup> Lookup::make(const Outline& outline, const Space& space, const FixedCost& fixed,
                            const BlockCost& block) {
  Lookup lookup;
  lookup.kernels_ = space.kernels.size();
  lookup.ratios_ = space.ratios.size();
  lookup.depths_ = space.depths;
  for (const std::uint32_t resolution : space.resolutions) {
    const Result<double> rest = fixed(resolution);
    if (!rest) return rest.error();
    lookup.fixed_.push_back(*rest);
    const auto sides = stage_sides(outline, resolution);
    for (std::size_t i = 0; i < kBlocks; ++i) {
      const std::size_t stage = i / engine::kBlocksPerStage;
      const std::size_t position = i % engine::kBlocksPerStage;
      const std::uint32_t side = position == 0 ? sides[stage] : sides[stage + 1];
      for (const std::uint32_t kernel : space.kernels) {
        for (const std::uint32_t ratio : space.ratios) {
          double cost = 0;
          if (position < space.depths.back()) {
            const Result<double> found =
                block(resolution, {outline.blocks[stage][position], side, kernel, ratio});
            if (!found) return found.error();
            cost = *found;
          }
          lookup.blocks_.push_back(cost);
        }
      }
    }
  }
  return lookup;
}

Lookup Lookup::macs(const Outline& outline, const Space& space) {
  const auto fixed = [&](std::uint32_t resolution) -> Result<double> {
    return static_cast<double>(fixed_macs(outline, resolution));
  };
  const auto block = [](std::uint32_t, const BlockUse& use) -> Result<double> {
    return static_cast<double>(block_macs(use.block, use.side, use.kernel, use.ratio));
  };
  return std::move(*make(outline, space, fixed, block));
}

double Lookup::cost(const Genome& genome) const {
  const std::size_t resolution = genome[kResolution];
  double total = fixed_[resolution];
  for (std::size_t stage = 0; stage < engine::kStages; ++stage) {
    const std::size_t depth = depths_[genome[kFirstDepth + stage]];
    for (std::size_t i = 0; i < depth; ++i) {
      const std::size_t block = stage * engine::kBlocksPerStage + i;
      total += blocks_[at(resolution, block, genome[block], genome[kFirstRatio + block])];
    }
  }
  return total;
}

}  // namespace dofa::search
