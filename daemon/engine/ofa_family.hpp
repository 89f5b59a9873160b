// SPDX-License-Identifier: Apache-2.0
// Families of kind ofa-mobilenetv3: one supernet, whose sub-networks are the levels. Their files are tensor
// dicts and run no code. Stateless functions; the family they give is immutable and shared between threads.
#pragma once

#include <memory>
#include <string>

#include "daemon/base.hpp"
#include "daemon/engine/family.hpp"
#include "daemon/engine/ofa_model.hpp"

namespace dofa::engine {

/// Reads the supernet beside family.yaml. kInvalidFamily with the file and what is wrong with it, or where
/// its class count is not the description's.
Result<Supernet> load_supernet(const std::string& directory, const config::FamilyFile& description);

/// Reads one sub-network's batch statistics and cuts it out. kInvalidFamily where it has none: an
/// uncalibrated sub-network answers at chance level and is never served.
Result<Subnet> load_subnet(const std::string& directory, const config::SubnetEntry& entry,
                           const Supernet& supernet);

/// Loads every level and picks the preferred backend that supports them.
Result<std::shared_ptr<const Family>> load_ofa_family(const std::string& directory,
                                                      const config::FamilyFile& description,
                                                      const LoadOptions& options = {});

}  // namespace dofa::engine
