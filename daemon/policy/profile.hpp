// SPDX-License-Identifier: Apache-2.0
// The operating points of a family as the policy sees them: what each level costs on each processor of this
// machine and what it is worth. Control fills it from the family's file and the machine's profile. Values
// only.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "daemon/policy/contract.hpp"

namespace dofa::policy {

inline constexpr std::size_t kMaxProcessors = 8;

/// One level: its accuracy and, for every processor, what a frame costs there on an idle machine.
struct LevelProfile {
  double accuracy = 0.0;                         ///< measured top-1 in 0..1; 0 where nobody measured
  std::array<double, kMaxProcessors> time_us{};  ///< median inference time, idle machine; 0: cannot run there
  std::array<double, kMaxProcessors> energy_mj{};  ///< energy of a frame; 0: nobody measured
};

/// Levels ordered from fastest (0) to most accurate. A point whose profile is not taken yet carries an
/// estimate.
struct FamilyProfile {
  std::vector<LevelProfile> levels;
  bool accuracy_measured = false;  ///< of every level

  /// Worth of a level in 0..1: its accuracy between the family's worst and best; its rank where nobody
  /// measured.
  [[nodiscard]] double worth(std::size_t level) const {
    const double low = levels.front().accuracy;
    const double range = levels.back().accuracy - low;
    if (accuracy_measured && range > 0) return std::clamp((levels[level].accuracy - low) / range, 0.0, 1.0);
    return levels.size() < 2 ? 1.0 : static_cast<double>(level) / static_cast<double>(levels.size() - 1);
  }

  [[nodiscard]] FamilyFacts facts() const {
    FamilyFacts facts;
    facts.levels = static_cast<std::uint32_t>(levels.size());
    facts.accuracy_measured = accuracy_measured;
    facts.energy_measured = !levels.empty();
    for (const LevelProfile& level : levels) {
      facts.best_accuracy = std::max(facts.best_accuracy, level.accuracy);
      facts.energy_measured &=
          std::any_of(level.energy_mj.begin(), level.energy_mj.end(), [](double e) { return e > 0; });
    }
    return facts;
  }
};

}  // namespace dofa::policy
