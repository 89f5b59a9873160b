// SPDX-License-Identifier: Apache-2.0
// The headline's picture as SVG: top-1 over latency, a line for each family of networks. Pure.
#pragma once

#include <string>
#include <vector>

namespace dofa::bench {

struct PlotPoint {
  double ms = 0;
  double top1 = 0;  ///< percent
};

/// Networks of one family by latency.
struct PlotSeries {
  std::string label;
  std::vector<PlotPoint> points;
  bool ours = false;
  bool estimated = false;  ///< drawn hollow and dashed
};

/// An arrow between two points, with words beside it.
struct PlotArrow {
  PlotPoint from, to;
  std::string label;
};

/// Latency runs over a logarithmic axis. Needs at least one point.
[[nodiscard]] std::string plot_headline(const std::string& title, const std::vector<PlotSeries>& series,
                                        const std::vector<PlotArrow>& arrows);

}  // namespace dofa::bench
