// SPDX-License-Identifier: Apache-2.0
// A family as the runtime keeps it: resident, with one runner a lane. Immutable after loading except for the runners,
// each of which only its own lane's thread uses.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "daemon/engine/family.hpp"
#include "daemon/policy/contract.hpp"

namespace dofa::control {

struct LoadedFamily {
  std::string name;
  std::shared_ptr<const engine::Family> family;
  std::vector<std::unique_ptr<engine::Runner>> runners;  ///< by lane
};

/// What contract validation needs to know of it.
policy::FamilyFacts facts_of(const engine::Family& family);

}  // namespace dofa::control
