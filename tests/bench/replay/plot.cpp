// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/replay/plot.hpp"

#include <algorithm>
#include <cstddef>

#include "tests/bench/svg.hpp"

namespace dofa::replay {
namespace {
using bench::svg::append;
using bench::svg::escaped;

constexpr double kWidth = 1000;
constexpr double kLeft = 60;
constexpr double kRight = 90;
constexpr double kPanelHeight = 200;
constexpr double kTop = 30;
constexpr double kGap = 60;
// From blue (fast) to red (accurate), told apart by lightness too.
constexpr const char* kColours[kLevels] = {"#08306b", "#2171b5", "#4eb3d3", "#7bccc4", "#74c476",
                                           "#c2b822", "#fdae61", "#f46d43", "#d7301f", "#7f0000"};

void draw(std::string& svg, const Panel& panel, double y0) {
  const double plot_width = kWidth - kLeft - kRight;
  double highest_us = panel.budget_us * 1.5;
  for (const FrameRecord& frame : panel.frames) {
    if (frame.served())
      highest_us = std::max(highest_us, static_cast<double>(frame.finished_us - frame.arrived_us));
  }
  highest_us = std::min(highest_us, panel.budget_us * 4);  // a queue that runs away would flatten the rest
  const auto x = [&](double t_us) {
    return kLeft + plot_width * t_us / static_cast<double>(panel.duration_us);
  };
  const auto y = [&](double latency_us) {
    return y0 + kPanelHeight * (1 - std::min(latency_us, highest_us) / highest_us);
  };

  append(svg, "<text x='%.0f' y='%.0f' font-weight='bold'>", kLeft, y0 - 8);
  svg += escaped(panel.title) + "</text>\n";
  for (const Phase& phase : panel.phases) {
    append(svg, "<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f' fill='#eeeeee'><title>",
           x(static_cast<double>(phase.begin_us)), y0,
           x(static_cast<double>(phase.end_us)) - x(static_cast<double>(phase.begin_us)), kPanelHeight);
    svg += escaped(phase.load) + "</title></rect>\n";
  }
  for (const FrameRecord& frame : panel.frames) {
    const double t_us = static_cast<double>(frame.arrived_us);
    if (!frame.served()) {
      append(svg, "<path d='M%.1f %.1fl4 4m0-4l-4 4' stroke='black'/>\n", x(t_us) - 2, y0 + 2);
      continue;
    }
    append(svg, "<circle cx='%.1f' cy='%.1f' r='1.6' fill='%s'/>\n", x(t_us),
           y(static_cast<double>(frame.finished_us - frame.arrived_us)),
           kColours[std::min<std::size_t>(static_cast<std::size_t>(frame.level), kLevels - 1)]);
  }
  append(svg, "<path d='M%.1f %.1fH%.1f' stroke='black' stroke-dasharray='6 3'/>\n", kLeft,
         y(panel.budget_us), kLeft + plot_width);
  append(svg, "<text x='%.1f' y='%.1f'>budget</text>\n", kLeft + plot_width + 4, y(panel.budget_us) + 4);
  append(svg, "<path d='M%.1f %.1fV%.1fH%.1f' stroke='black' fill='none'/>\n", kLeft, y0, y0 + kPanelHeight,
         kLeft + plot_width);
  for (int i = 0; i <= 4; ++i) {
    append(svg, "<text x='%.1f' y='%.1f' text-anchor='end'>%.0f ms</text>\n", kLeft - 4,
           y(highest_us * i / 4) + 4, highest_us * i / 4 / 1e3);
    append(svg, "<text x='%.1f' y='%.1f' text-anchor='middle'>%.0f s</text>\n",
           x(static_cast<double>(panel.duration_us) * i / 4), y0 + kPanelHeight + 14,
           static_cast<double>(panel.duration_us) * i / 4e6);
  }
  for (std::size_t level = 0; level < kLevels; ++level) {
    append(svg, "<text x='%.1f' y='%.1f' fill='%s'>level %zu</text>\n", kWidth - kRight + 46,
           y0 + 10 + 14 * static_cast<double>(kLevels - level), kColours[level], level);
  }
}

}  // namespace

std::string plot(const std::vector<Panel>& panels) {
  const double height = kTop + static_cast<double>(panels.size()) * (kPanelHeight + kGap);
  std::string svg = bench::svg::begin(kWidth, height);
  for (std::size_t i = 0; i < panels.size(); ++i) {
    draw(svg, panels[i], kTop + static_cast<double>(i) * (kPanelHeight + kGap));
  }
  return svg + "</svg>\n";
}

}  // namespace dofa::replay
