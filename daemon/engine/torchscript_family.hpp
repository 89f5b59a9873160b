// SPDX-License-Identifier: Apache-2.0
// Families of TorchScript modules, one file a level, run by LibTorch on the calling thread. A module is code:
// the caller has checked where the file comes from and that its dry run ends (the service does so in a
// time-limited child process).
#pragma once

#include <memory>
#include <string>

#include "daemon/base.hpp"
#include "daemon/config/family.hpp"
#include "daemon/engine/family.hpp"

namespace dofa::engine {

/// Loads every level's module. kInvalidFamily names the file that cannot be loaded.
Result<std::shared_ptr<const Family>> load_torchscript_family(const std::string& directory,
                                                              const config::FamilyFile& description);

}  // namespace dofa::engine
