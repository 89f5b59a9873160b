// SPDX-License-Identifier: Apache-2.0
// Which files a family may be made of. A TorchScript module is code, so every file has to lie beneath a
// configured root (openat2 RESOLVE_BENEATH, links included) and every directory and file from the root down
// has to belong to root or the service's own user and be writable by nobody else. Stateless; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/config/family.hpp"

namespace dofa::control {

/// A family's directory that passed the check, with its description read and every file it names checked as
/// well.
struct CheckedFamily {
  std::string directory;  ///< absolute
  config::FamilyFile description;
};

/// `directory` is an absolute path beneath one of `roots`, or a plain name looked up in each. kNotFound where
/// there is none; kInvalidFamily names the file and what is wrong with it.
Result<CheckedFamily> check_family(const std::vector<std::string>& roots, const std::string& directory);

/// Names of the directories beneath `roots` that hold a family.yaml, sorted; unreadable roots count as empty.
std::vector<std::string> find_families(const std::vector<std::string>& roots);

}  // namespace dofa::control
