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

/// Batches that are profiled; one of another size takes as long as the next larger.
inline constexpr std::array<std::uint32_t, 3> kBatchSizes{2, 4, 8};
inline constexpr std::uint32_t kMaxBatch = kBatchSizes.back();

/// One level: its accuracy and, for every processor, what a frame costs there on an idle machine.
struct LevelProfile {
  double accuracy = 0.0;                         ///< measured top-1 in 0..1; 0 where nobody measured
  std::array<double, kMaxProcessors> time_us{};  ///< median inference time, idle machine; 0: cannot run there
  std::array<double, kMaxProcessors> energy_mj{};  ///< energy of a frame; 0: nobody measured
  /// Median time of a whole batch of kBatchSizes frames; 0: not taken there.
  std::array<std::array<double, kBatchSizes.size()>, kMaxProcessors> batch_time_us{};
  /// On that processor another level is as fast and as accurate: never chosen there (set by mark_dominated).
  std::array<bool, kMaxProcessors> dominated{};

  /// Time of `count` frames at once; 0: they cannot be taken at once.
  [[nodiscard]] double time_of_us(std::uint32_t processor, std::uint32_t count) const {
    if (count == 1) return time_us[processor];
    for (std::size_t i = 0; i < kBatchSizes.size(); ++i) {
      if (kBatchSizes[i] >= count && batch_time_us[processor][i] > 0) return batch_time_us[processor][i];
    }
    return 0;
  }
  /// Can be chosen on this processor (a level fixed by hand may be used even where it is dominated).
  [[nodiscard]] bool offered(std::uint32_t processor) const {
    return time_us[processor] > 0 && !dominated[processor];
  }
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

/// Keeps every processor's Pareto front: marks the levels for which another one there is no slower and no
/// less accurate. Where nobody measured accuracy the rank stands for it.
inline void mark_dominated(FamilyProfile& family) {
  for (std::size_t p = 0; p < kMaxProcessors; ++p) {
    for (std::size_t i = 0; i < family.levels.size(); ++i) {
      LevelProfile& level = family.levels[i];
      level.dominated[p] = false;
      for (std::size_t j = 0; j < family.levels.size() && level.time_us[p] > 0; ++j) {
        const LevelProfile& other = family.levels[j];
        if (i == j || other.time_us[p] <= 0 || other.time_us[p] > level.time_us[p]) continue;
        const double worth = family.worth(i);
        const double others = family.worth(j);
        const bool twin = others == worth && other.time_us[p] == level.time_us[p];
        if (others > worth || (others == worth && (!twin || j < i))) level.dominated[p] = true;
      }
    }
  }
}

}  // namespace dofa::policy
