// SPDX-License-Identifier: Apache-2.0
// Running a plan in an arena. A run writes nothing but the arena, allocates nothing and takes no lock.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "daemon/base.hpp"
#include "daemon/engine/kernels/arena.hpp"
#include "daemon/engine/kernels/plan.hpp"
#include "daemon/engine/kernels/team.hpp"

namespace dofa::engine::kernels {

/// Where a run's time went, for measurements: nanoseconds and multiply-adds per kind of kernel.
struct Timing {
  enum Kind { kConv, kExpand, kDepthwise, kSqueezeExcite, kProject, kPointwise, kLinear, kKinds };
  struct Sum {
    std::int64_t ns = 0;
    std::int64_t macs = 0;
  };
  std::array<Sum, kKinds> kinds;
  static const char* name(Kind kind);
};

/// Runs `plan` on a planar image of plan.input() ([channels][height][width]), with the help of `team`. The
/// answer lies in the arena and is valid until its next run; it does not depend on the number of threads.
/// kInvalidArgument when the image holds infinities or not-a-numbers, or when sizes don't fit. `timing` not
/// null: adds where the time went (single-threaded runs only).
Result<std::span<const float>> run(const Plan& plan, Arena& arena, Team& team, std::span<const float> image,
                                   Timing* timing = nullptr);
/// The same on the calling thread alone.
Result<std::span<const float>> run(const Plan& plan, Arena& arena, std::span<const float> image,
                                   Timing* timing = nullptr);

/// How long the calling thread has run so far: unlike the time of day it stands still while another thread
/// has the core, so that a busy machine can be measured too.
std::int64_t thread_time_ns();
/// As run() on the calling thread alone, and adds to `step_ns`, of which there is one for each of the plan's
/// steps, the thread's time that each step took.
Result<std::span<const float>> run_timed(const Plan& plan, Arena& arena, std::span<const float> image,
                                         std::span<std::int64_t> step_ns);

}  // namespace dofa::engine::kernels
