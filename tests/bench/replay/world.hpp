// SPDX-License-Identifier: Apache-2.0
// The world a replay runs in: what every level would take at every moment, and what the monitor would show.
// The same for every policy, whatever it chooses. Read from a recorded trace (format: SUMMARY.md beside the
// traces) or made up. Values only.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/policy/profile.hpp"

namespace dofa::replay {

inline constexpr std::size_t kLevels = 10;
inline constexpr std::size_t kNets = 3;  // recorded: small, mid, large

struct Sample {
  std::int64_t t_us = 0;
  double latency_us = 0;
};

/// One processor's course: the measured latencies of the three recorded networks over time.
struct Course {
  std::string processor;
  std::array<std::vector<Sample>, kNets> nets;

  /// Latency of a level for a frame that arrives at t: interpolated between the samples of the neighbouring
  /// networks that lie nearest in time.
  [[nodiscard]] double latency_us(std::size_t level, std::int64_t t_us) const;
};

/// What the monitor says at t about one processor.
struct Reading {
  std::int64_t t_us = 0;
  std::size_t processor = 0;
  double expected_slowdown = 1;
};

/// A time during which something loaded the machine.
struct Phase {
  std::int64_t begin_us = 0;
  std::int64_t end_us = 0;
  std::string load;
};

struct World {
  std::string name;
  std::int64_t duration_us = 0;
  std::vector<Course> courses;  ///< by processor
  std::vector<Reading> readings;
  std::vector<Phase> phases;
  std::shared_ptr<const policy::FamilyProfile>
      family;               ///< ten levels, 0.70 to 0.79; medians of the quiet parts
  double quiet_p95_us = 0;  ///< top level, first processor, outside the phases
};

/// Reads DIR/latency.csv, monitor.csv and scenario.json.
Result<World> load_trace(const std::string& directory);

/// Fills in the family and quiet_p95_us from the courses and phases.
void profile_quiet_parts(World& world);

/// How a level's latency mixes those of two neighbouring networks: (1 - share)·nets[net] + share·nets[net +
/// 1].
struct Mix {
  std::size_t net = 0;
  double share = 0;
};
Mix mix_of(std::size_t level);

}  // namespace dofa::replay
