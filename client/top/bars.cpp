// SPDX-License-Identifier: Apache-2.0
// Bars made of characters.
#include <algorithm>
#include <array>
#include <cmath>

#include "client/top/view.hpp"

namespace dofa::top {

Line sparkline(const std::deque<Interval>& history, std::uint64_t budget_us, std::size_t width, bool ascii) {
  static constexpr std::array<const char*, 8> kBars{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  static constexpr std::array<const char*, 8> kPlainBars{".", ":", "-", "=", "+", "*", "#", "@"};
  const std::size_t shown = std::min(width, history.size());
  const auto first = history.end() - static_cast<std::ptrdiff_t>(shown);
  double full = static_cast<double>(budget_us) * 4 / 3;
  if (budget_us == 0) {
    for (auto one = first; one != history.end(); ++one)
      full = std::max(full, static_cast<double>(one->latency_us.value_or(0)));
  }
  Line line;
  if (shown < width) line.push_back({std::string(width - shown, ' ')});
  for (auto one = first; one != history.end(); ++one) {
    const Style style = one->missed > 0 ? Style::kBad : Style::kGood;
    std::string bar = " ";
    if (one->latency_us && full > 0) {
      const double share = static_cast<double>(*one->latency_us) / full;
      const auto step = static_cast<std::size_t>(std::clamp(std::ceil(share * 8), 1.0, 8.0)) - 1;
      bar = ascii ? kPlainBars[step] : kBars[step];
    } else if (one->missed > 0) {
      bar = "x";  // dropped, all of them
    }
    if (!line.empty() && line.back().style == style) {
      line.back().text += bar;
    } else {
      line.push_back({bar, style});
    }
  }
  return line;
}

Line load_bar(double load, double others, std::size_t width, bool ascii) {
  const auto columns = [&](double share) {
    return static_cast<std::size_t>(std::lround(std::clamp(share, 0.0, 1.0) * static_cast<double>(width)));
  };
  const std::size_t all = columns(load), theirs = std::min(columns(others), all);
  const auto repeated = [](const char* mark, std::size_t count) {
    std::string text;
    for (; count > 0; --count) text += mark;
    return text;
  };
  return {{repeated(ascii ? "#" : "█", all - theirs), Style::kOwn},
          {repeated(ascii ? "=" : "▒", theirs), Style::kOthers},
          {repeated(ascii ? "." : "·", width - all), Style::kFaint}};
}

}  // namespace dofa::top
