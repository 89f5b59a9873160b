// SPDX-License-Identifier: Apache-2.0
// Class names of a family. Stateless; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/config/family.hpp"

namespace dofa::engine {

/// One name a line from the family's labels file; empty where the family names none. kInvalidFamily where the
/// file cannot be read or does not hold one name for each class.
Result<std::vector<std::string>> read_labels(const std::string& directory,
                                             const config::FamilyFile& description);

}  // namespace dofa::engine
