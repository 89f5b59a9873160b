// SPDX-License-Identifier: Apache-2.0
// What a search chooses from, and how a choice is written down: one gene for each kernel size, expand ratio,
// depth and for the resolution, as indices into the lists of choices. Values and pure functions; thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/config/family.hpp"
#include "daemon/engine/supernet.hpp"

namespace dofa::search {

inline constexpr std::size_t kBlocks = engine::kStages * engine::kBlocksPerStage;  ///< elastic ones: 20
inline constexpr std::size_t kFirstRatio = kBlocks;
inline constexpr std::size_t kFirstDepth = 2 * kBlocks;
inline constexpr std::size_t kResolution = kFirstDepth + engine::kStages;
inline constexpr std::size_t kGenes = kResolution + 1;

/// Indices of choices: 20 kernel sizes, 20 expand ratios, 5 depths, the resolution.
using Genome = std::array<std::uint8_t, kGenes>;

/// A sub-network with the side of its input.
struct Candidate {
  config::OfaArchitecture architecture;
  std::uint32_t resolution = 0;
  bool operator==(const Candidate&) const = default;
};

/// The lists are rising and not empty.
struct Space {
  std::vector<std::uint8_t> kernels, ratios, depths;
  std::vector<std::uint32_t> resolutions;

  [[nodiscard]] std::size_t choices(std::size_t gene) const;
  [[nodiscard]] std::uint8_t depth(const Genome& genome, std::size_t stage) const {
    return depths[genome[kFirstDepth + stage]];
  }
  /// Number of different sub-networks, as many as a double holds exactly or nearly.
  [[nodiscard]] double size() const;
};

/// The published Once-for-all MobileNetV3 space (Cai et al., ICLR 2020): kernels 3, 5, 7, ratios 3, 4, 6,
/// depths 2, 3, 4.
Space published_space(std::vector<std::uint32_t> resolutions);
/// What `supernet` offers. Sorts the resolutions and drops doubles.
Space space_of(const engine::Supernet& supernet, std::vector<std::uint32_t> resolutions);

/// The same sub-network always gives the same genome: genes of blocks that are not there become 0.
Genome canonical(const Space& space, const Genome& genome);

/// Entries of blocks that are not there take the first choice.
Candidate candidate_of(const Space& space, const Genome& genome);
/// kInvalidArgument names the value that the space does not offer (in blocks that are there).
Result<Genome> genome_of(const Space& space, const Candidate& candidate);

/// For hash tables.
struct GenomeHash {
  std::size_t operator()(const Genome& genome) const;
};

}  // namespace dofa::search
