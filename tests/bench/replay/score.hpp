// SPDX-License-Identifier: Apache-2.0
// From the frames of a replay to the numbers of DESIGN §9.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/bench/replay/oracle.hpp"
#include "tests/bench/replay/simulator.hpp"

namespace dofa::replay {

struct Score {
  std::size_t frames = 0;
  double attainment = 0;
  double mean_accuracy = 0;          ///< of served frames, late ones included
  double switches_per_min = 0;       ///< moves of the planned level
  double level_changes_per_min = 0;  ///< of the level that ran: switches and single-frame dips
  std::size_t late_after_step = 0;   ///< most frames not on time in the second after a load came
  double recover_up_ms =
      0;  ///< longest time from a load's end to the next rise of the planned level, where it had fallen
  std::optional<double> coverage_95;  ///< share of frames below their predicted 0.95 quantile
};

Score score(const World& world, const Outcome& outcome);
Score score(const World& world, const OracleResult& result, const Application& application);

/// Everything the issue compares, on one world and budget.
struct Comparison {
  struct Entry {
    std::string policy;
    Score score;
    std::vector<FrameRecord> frames;  ///< empty for the oracles
  };
  double budget_us = 0;
  std::vector<Entry> entries;  ///< in the order of kPolicies, those asked for
  int static_level = -1;
};

/// "dofa", "oracle", "oracle_dwell", "original", "static", "alert", "slackfit". "static" is the most accurate
/// level that reaches dofa's attainment (the one with the highest attainment where none does).
const std::vector<std::string>& policy_names();

Comparison compare(const World& world, double budget_us, const std::vector<std::string>& policies);

}  // namespace dofa::replay
