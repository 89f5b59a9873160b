// SPDX-License-Identifier: Apache-2.0
// A small family for the policy's tests: levels with round numbers, on one processor or two.
#pragma once

#include <memory>
#include <vector>

#include "daemon/policy/profile.hpp"

namespace dofa::policy {

/// Times in µs per level on processor 0; accuracies 0.70, 0.71, …
inline std::shared_ptr<FamilyProfile> family_of(const std::vector<double>& times_us) {
  auto family = std::make_shared<FamilyProfile>();
  family->accuracy_measured = true;
  for (std::size_t level = 0; level < times_us.size(); ++level) {
    LevelProfile profile;
    profile.accuracy = 0.70 + 0.01 * static_cast<double>(level);
    profile.time_us[0] = times_us[level];
    family->levels.push_back(profile);
  }
  return family;
}

}  // namespace dofa::policy
