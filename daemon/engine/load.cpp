// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/family.hpp"
#include "daemon/engine/ofa_family.hpp"
#include "daemon/engine/torchscript_family.hpp"

namespace dofa::engine {

Result<std::shared_ptr<const Family>> load_family(const std::string& directory,
                                                  const config::FamilyFile& description,
                                                  const LoadOptions& options) {
  if (description.subnets.empty()) {
    return Error{ErrorCode::kInvalidFamily, directory + ": the family has no sub-networks"};
  }
  switch (description.kind) {
    case config::FamilyKind::kTorchScript:
      return load_torchscript_family(directory, description);
    case config::FamilyKind::kOfaMobilenetV3:
      return load_ofa_family(directory, description, options);
  }
  return Error{ErrorCode::kInvalidFamily, directory + ": the family is of no known kind"};
}

}  // namespace dofa::engine
