// SPDX-License-Identifier: Apache-2.0
// Made-up worlds where the truth is known: any course of the slowdown over time, with the frame-to-frame
// spread and the rare spikes of the recorded quiet trace. Deterministic: the same arguments give the same
// world.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tests/bench/replay/world.hpp"

namespace dofa::replay {

/// Slowdown of a processor at a time; 1 is quiet.
using SlowdownCourse = std::function<double(std::int64_t t_us)>;

struct SyntheticProcessor {
  std::string name = "cpu";
  double speed = 1;  ///< times as fast as the recorded machine
  SlowdownCourse slowdown;
};

/// Profiles and budgets are those of the quiet machine, also where the whole course is loaded. Phases are the
/// times at which the first processor's slowdown is above 1.
World make_world(const std::string& name, std::int64_t duration_us,
                 const std::vector<SyntheticProcessor>& processors, std::uint32_t seed = 1);

/// The courses the issue names.
SlowdownCourse constant(double slowdown);
SlowdownCourse step(double slowdown, std::int64_t begin_us, std::int64_t end_us);
SlowdownCourse ramp(double highest, std::int64_t begin_us, std::int64_t end_us);
SlowdownCourse bursts(double slowdown, std::int64_t on_us, std::int64_t off_us);

}  // namespace dofa::replay
