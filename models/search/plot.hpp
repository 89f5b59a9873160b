// SPDX-License-Identifier: Apache-2.0
// A picture of fronts as SVG: cost to the right, accuracy upwards. Pure; thread-safe.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/search/front.hpp"

namespace dofa::search {

struct Series {
  std::string name;
  std::string colour;  ///< as CSS names it
  std::vector<Point> points;
  bool joined = false;  ///< by steps, as a front; else dots alone
};

/// Costs are shown divided by `unit` under `cost_label`, accuracies as percent.
std::string plot_svg(std::span<const Series> series, const std::string& title, const std::string& cost_label,
                     double unit);

}  // namespace dofa::search
