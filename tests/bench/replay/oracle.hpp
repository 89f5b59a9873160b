// SPDX-License-Identifier: Apache-2.0
// What could have been: the best that any policy can get out of a world, knowing every latency beforehand.
#pragma once

#include <span>

#include "tests/bench/replay/simulator.hpp"

namespace dofa::replay {

struct OracleResult {
  std::size_t frames = 0;
  std::size_t on_time = 0;
  double accuracy_sum = 0;  ///< over the frames on time; it drops the others
  std::vector<int> levels;  ///< per frame of the single application; -1: dropped

  [[nodiscard]] double attainment() const {
    return frames == 0 ? 1.0 : static_cast<double>(on_time) / static_cast<double>(frames);
  }
  [[nodiscard]] double mean_accuracy() const {
    return on_time == 0 ? 0.0 : accuracy_sum / static_cast<double>(on_time);
  }
};

/// One application alone on the world: most frames on time first, highest accuracy second. Exact: dynamic
/// programme over the frames and the Pareto front of (time the lane is free, result); on several processors
/// each frame takes the best of all without occupying a lane, which bounds what any lanes could do.
OracleResult oracle(const World& world, const Application& application);

/// The same under an upward dwell: the level may fall at any frame, but rise only once it has been held for
/// `dwell_us`. For contracts whose budget is not above their period, so that frames on time never wait for
/// each other.
OracleResult oracle_under_dwell(const World& world, const Application& application, std::int64_t dwell_us);

/// An upper bound for several applications: each has the world to itself.
OracleResult oracle_bound(const World& world, std::span<const Application> applications);

}  // namespace dofa::replay
