// SPDX-License-Identifier: Apache-2.0
// What a search starts from: a family's supernet, a checkpoint, or the published network's shape at some
// width. Single-threaded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/search/outline.hpp"
#include "models/search/space.hpp"
#include "models/tool/family_folder.hpp"

namespace dofa::tool {

struct SearchSource {
  std::optional<FamilyFolder> family;           ///< where a family was named
  std::optional<engine::FloatTensors> tensors;  ///< where a checkpoint was
  std::optional<engine::Supernet> supernet;     ///< absent: only the shape is known
  config::FamilyFile file;  ///< of a family to make of it: everything but name and sub-networks
  search::Outline outline;

  /// What it offers at these resolutions.
  [[nodiscard]] search::Space space(const std::vector<std::uint32_t>& resolutions) const;
};

/// A family's folder, a checkpoint (with --stem-stride and --stage-strides), or --width without a word.
Result<SearchSource> open_source(const Arguments& arguments);

/// --resolutions, else those of the family's levels, else what `known` has, else 160 to 224 (32 where the
/// stem's stride is 1).
std::vector<std::uint32_t> resolutions_of(const Arguments& arguments, const SearchSource& source,
                                          const std::vector<std::uint32_t>& known);

}  // namespace dofa::tool
