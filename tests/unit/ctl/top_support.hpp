// SPDX-License-Identifier: Apache-2.0
// Looks at a service that is not there, for the tests of `dofactl top`.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "client/top/model.hpp"

namespace dofa::test {

inline std::vector<client::FrameRecord> frames(std::size_t count, std::uint64_t service_us) {
  return std::vector<client::FrameRecord>(count, {.service_us = service_us, .level = 1});
}

/// Sessions of these numbers, each of an application "camera" on the family "pets" with 20 ms.
inline top::Snapshot look(std::int64_t time_us, const std::vector<std::string>& sessions,
                          const std::map<std::string, std::vector<client::FrameRecord>>& new_frames) {
  top::Snapshot snapshot{.time_us = time_us,
                         .service = {.version = "1.2.3", .state = "running", .processors = {}},
                         .family_levels = {{"pets", 6}},
                         .sessions = {},
                         .frames = new_frames};
  snapshot.service.processors = {{.name = "cpu",
                                  .lanes = 3,
                                  .queue = 1,
                                  .load = 0.75,
                                  .others_load = 0.5,
                                  .slowdown = 1.8,
                                  .temperature_celsius = 54.3}};
  for (const auto& id : sessions) {
    snapshot.sessions.push_back(
        {.id = id,
         .application = "camera",
         .owner = ":1.7",
         .family = "pets",
         .contract = {.latency_budget_us = 20'000},
         .subnet = "large",
         .level = 4,
         .processor = "cpu",
         .accuracy = 0.713,
         .frames = 120,
         .missed_deadlines = 3,
         .attainment = 0.975,
         .statistics = {.switches = 4, .service_us_p50 = 8'000, .service_us_p95 = 12'000}});
  }
  return snapshot;
}

}  // namespace dofa::test
