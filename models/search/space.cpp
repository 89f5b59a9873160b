// SPDX-License-Identifier: Apache-2.0
#include "models/search/space.hpp"

#include <algorithm>
#include <cmath>

namespace dofa::search {
namespace {

/// Index of `value` in `choices`; kInvalidArgument where it is none of them.
template <class Value>
Result<std::uint8_t> index_of(const std::vector<Value>& choices, std::uint32_t value, const char* what) {
  const auto found = std::ranges::find(choices, value);
  if (found == choices.end())
    return Error{ErrorCode::kInvalidArgument,
                 std::string(what) + " " + std::to_string(value) + " is not in the search space"};
  return static_cast<std::uint8_t>(found - choices.begin());
}

std::vector<std::uint32_t> rising(std::vector<std::uint32_t> values) {
  std::ranges::sort(values);
  const auto rest = std::ranges::unique(values);
  values.erase(rest.begin(), rest.end());
  return values;
}

}  // namespace

std::size_t Space::choices(std::size_t gene) const {
  if (gene < kFirstRatio) return kernels.size();
  if (gene < kFirstDepth) return ratios.size();
  return gene < kResolution ? depths.size() : resolutions.size();
}

double Space::size() const {
  double stage = 0;
  for (const std::uint8_t depth : depths)
    stage += std::pow(static_cast<double>(kernels.size() * ratios.size()), depth);
  return std::pow(stage, static_cast<double>(engine::kStages)) * static_cast<double>(resolutions.size());
}

Space published_space(std::vector<std::uint32_t> resolutions) {
  return {{3, 5, 7}, {3, 4, 6}, {2, 3, 4}, rising(std::move(resolutions))};
}

Space space_of(const engine::Supernet& supernet, std::vector<std::uint32_t> resolutions) {
  return {supernet.kernel_choices, supernet.expand_choices, supernet.depth_choices,
          rising(std::move(resolutions))};
}

Genome canonical(const Space& space, const Genome& genome) {
  Genome result = genome;
  for (std::size_t stage = 0; stage < engine::kStages; ++stage) {
    for (std::size_t i = space.depth(genome, stage); i < engine::kBlocksPerStage; ++i) {
      const std::size_t block = stage * engine::kBlocksPerStage + i;
      result[block] = 0;
      result[kFirstRatio + block] = 0;
    }
  }
  return result;
}

Candidate candidate_of(const Space& space, const Genome& genome) {
  const Genome genes = canonical(space, genome);
  Candidate candidate;
  for (std::size_t i = 0; i < kBlocks; ++i) {
    candidate.architecture.kernel_sizes[i] = space.kernels[genes[i]];
    candidate.architecture.expand_ratios[i] = space.ratios[genes[kFirstRatio + i]];
  }
  for (std::size_t i = 0; i < engine::kStages; ++i) candidate.architecture.depths[i] = space.depth(genes, i);
  candidate.resolution = space.resolutions[genes[kResolution]];
  return candidate;
}

Result<Genome> genome_of(const Space& space, const Candidate& candidate) {
  Genome genome{};
  const config::OfaArchitecture& architecture = candidate.architecture;
  const auto resolution = index_of(space.resolutions, candidate.resolution, "resolution");
  if (!resolution) return resolution.error();
  genome[kResolution] = *resolution;
  for (std::size_t stage = 0; stage < engine::kStages; ++stage) {
    const auto depth = index_of(space.depths, architecture.depths[stage], "depth");
    if (!depth) return depth.error();
    genome[kFirstDepth + stage] = *depth;
    for (std::size_t i = 0; i < architecture.depths[stage]; ++i) {
      const std::size_t block = stage * engine::kBlocksPerStage + i;
      const auto kernel = index_of(space.kernels, architecture.kernel_sizes[block], "kernel size");
      if (!kernel) return kernel.error();
      const auto ratio = index_of(space.ratios, architecture.expand_ratios[block], "expand ratio");
      if (!ratio) return ratio.error();
      genome[block] = *kernel;
      genome[kFirstRatio + block] = *ratio;
    }
  }
  return genome;
}

std::size_t GenomeHash::operator()(const Genome& genome) const {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const std::uint8_t gene : genome) hash = (hash ^ gene) * 0x100000001b3;
  return hash;
}

}  // namespace dofa::search
