// SPDX-License-Identifier: Apache-2.0
// The kernel's own means against interference, applied to a lane's thread: affinity, nice, the real-time
// class. Load makes us wait rather than run slower, so these are worth as much as a smaller network
// (../shared/traces/SUMMARY.md measured 1.1-1.3 x for hogs in another scheduling group against 3.0-3.5 x in
// the same). Call it on the thread itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/config/service.hpp"

namespace dofa::control {

/// What could not be had, one line each, with what would grant it; empty where all is in force.
std::vector<std::string> apply_actuators(const config::LaneOptions& options, std::uint32_t lane);

}  // namespace dofa::control
