// SPDX-License-Identifier: Apache-2.0
// A family's folder as the tool edits it: family.yaml and the tensor files beside it. Single-threaded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/config/family.hpp"
#include "daemon/engine/supernet.hpp"
#include "models/tool/command.hpp"

namespace dofa::tool {

struct FamilyFolder {
  std::string directory;  ///< absolute
  config::FamilyFile file;

  [[nodiscard]] std::string path(const std::string& name) const { return directory + "/" + name; }
};

/// Opens a family by its folder or its family.yaml. kNotFound where there is none.
Result<FamilyFolder> open_family(const std::string& path);
/// Writes family.yaml, replacing the old one at once.
Result<void> save_family(const FamilyFolder& folder);

/// Checks that the family's levels are sub-networks of a supernet; kInvalidArgument for a torchscript one.
Result<void> require_supernet(const FamilyFolder& folder);
/// Index of the named sub-network; kNotFound.
Result<std::size_t> find_subnet(const FamilyFolder& folder, const std::string& name);

/// A named architecture with its input size, as add-subnet takes it and reference files list it.
struct NamedArchitecture {
  std::string name;
  std::uint32_t resolution = 0;
  config::OfaArchitecture architecture;
};
/// Spreads 1 value over all entries, or takes as many as there are entries. kInvalidArgument otherwise, or
/// for values that no supernet offers.
Result<config::OfaArchitecture> make_architecture(const std::vector<std::int64_t>& kernel_sizes,
                                                  const std::vector<std::int64_t>& expand_ratios,
                                                  const std::vector<std::int64_t>& depths);
/// Reads a JSON file with a list under `subnets` or `levels`, or a list by itself, of objects with `ks`, `e`,
/// `d`, `r` and `name` (else "level_<i>").
Result<std::vector<NamedArchitecture>> read_architectures(const std::string& path);

/// The strides a checkpoint does not tell: --stem-stride and --stage-strides, or those of the published
/// supernets.
config::OfaSupernet strides_of(const Arguments& arguments);
/// A family's supernet, or a checkpoint's when `path` is a file. `strides` is used for the latter.
Result<engine::Supernet> open_supernet(const std::string& path, const config::OfaSupernet& strides);

}  // namespace dofa::tool
