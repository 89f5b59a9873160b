// SPDX-License-Identifier: Apache-2.0
// The paper's Fig. 7, live: applications with contracts run on a real dofad, other programs take the CPU in
// the middle, and go again. Used by `dofa-bench live`, by the demo and by an integration test.
#pragma once

#include <cstdint>
#include <dofa/client.hpp>
#include <functional>
#include <string>
#include <vector>

#include "tests/bench/live/camera.hpp"

namespace dofa::bench {

struct ScenarioOptions {
  std::string family;
  std::uint64_t period_us = 40'000;
  double budget_factor = 1.3;         ///< of the top level's quiet 0.95 quantile, measured first
  std::uint64_t least_budget_us = 0;  ///< no less: below the scheduler's slices no choice of level helps
  bool second_application = false;    ///< one that wants the least latency beside the one that wants accuracy
  int quiet_s = 4;
  int loaded_s = 6;
  int after_s = 6;
  unsigned hogs = 6;
  bool own_group = false;  ///< the hogs in a scheduling group of their own
  /// Called a few times a second with what goes on; may be empty.
  std::function<void(const std::string& phase, const std::vector<const Camera*>& cameras)> progress;
};

struct ApplicationResult {
  std::string name;
  std::int64_t budget_us = 0;
  std::vector<CameraFrame> frames;
  std::vector<std::string> switches;
};

struct ScenarioResult {
  std::int64_t duration_us = 0;
  std::int64_t load_begin_us = 0;
  std::int64_t load_end_us = 0;
  std::uint32_t top_level = 0;
  std::int64_t quiet_p95_us = 0;
  std::vector<ApplicationResult> applications;
};

ScenarioResult run_scenario(client::Client& client, const ScenarioOptions& options);

/// The figures of DESIGN §9 for one application.
struct LiveFigures {
  int late_after_step = 0;       ///< frames not in time in the first second of the load
  double recover_down_ms = -1;   ///< from the load's begin to the first of ten frames in time; -1 = never
  double recover_up_ms = -1;     ///< from the load's end to the first frame at the top level; -1 = never
  double attainment = 0;         ///< over everything
  double attainment_loaded = 0;  ///< under load, the first second left out
  int lowest_level_loaded = -1;
};
LiveFigures figures(const ScenarioResult& result, const ApplicationResult& application);

}  // namespace dofa::bench
