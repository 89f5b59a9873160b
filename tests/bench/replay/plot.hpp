// SPDX-License-Identifier: Apache-2.0
// The picture of the paper's Fig. 7 as SVG: every frame's latency over time, coloured by level, the budget as
// a line, load phases shaded, one panel beneath the other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/replay/simulator.hpp"

namespace dofa::replay {

struct Panel {
  std::string title;
  double budget_us = 0;
  std::int64_t duration_us = 0;
  std::vector<Phase> phases;
  std::vector<FrameRecord> frames;
};

std::string plot(const std::vector<Panel>& panels);

}  // namespace dofa::replay
