// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/headline/plot.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "tests/bench/svg.hpp"

namespace dofa::bench {
namespace {
using svg::append;

constexpr double kWidth = 820, kHeight = 520;
constexpr double kLeft = 60, kRight = 30, kTop = 40, kBottom = 50;
constexpr const char* kOurColour = "#d7301f";
// Told apart by lightness and by the marks' shape too.
constexpr const char* kPeerColours[] = {"#969696", "#2171b5", "#238b45", "#6a51a3"};
constexpr std::size_t kPeerColourCount = sizeof kPeerColours / sizeof *kPeerColours;

/// Where values lie in the picture.
struct Axes {
  double ms_low, ms_high, top1_low, top1_high;

  explicit Axes(const std::vector<PlotSeries>& series)
      : ms_low(INFINITY), ms_high(0), top1_low(INFINITY), top1_high(0) {
    for (const PlotSeries& s : series) {
      for (const PlotPoint& p : s.points) {
        ms_low = std::min(ms_low, p.ms);
        ms_high = std::max(ms_high, p.ms);
        top1_low = std::min(top1_low, p.top1);
        top1_high = std::max(top1_high, p.top1);
      }
    }
    ms_low /= 1.25;
    ms_high *= 1.25;
    top1_low = 5 * std::floor((top1_low - 0.5) / 5);
    top1_high = 5 * std::ceil((top1_high + 0.5) / 5);
  }
  [[nodiscard]] double x(double ms) const {
    return kLeft + (kWidth - kLeft - kRight) * std::log(ms / ms_low) / std::log(ms_high / ms_low);
  }
  [[nodiscard]] double y(double top1) const {
    return kTop + (kHeight - kTop - kBottom) * (top1_high - top1) / (top1_high - top1_low);
  }
};

void draw_axes(std::string& text, const Axes& axes) {
  const double bottom = kHeight - kBottom, right = kWidth - kRight;
  for (double top1 = axes.top1_low; top1 <= axes.top1_high + 0.1; top1 += 5) {
    append(text, "<path d='M%.1f %.1fH%.1f' stroke='#dddddd'/>\n", kLeft, axes.y(top1), right);
    append(text, "<text x='%.1f' y='%.1f' text-anchor='end'>%.0f %%</text>\n", kLeft - 6, axes.y(top1) + 4,
           top1);
  }
  // 1, 2, 5, 10, …: every step of the logarithmic axis that lies inside.
  for (double decade = std::pow(10, std::floor(std::log10(axes.ms_low))); decade < axes.ms_high;
       decade *= 10) {
    for (const double step : {1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0}) {
      const double ms = step * decade;
      if (ms < axes.ms_low || ms > axes.ms_high) continue;
      append(text, "<path d='M%.1f %.1fV%.1f' stroke='#dddddd'/>\n", axes.x(ms), kTop, bottom);
      append(text, "<text x='%.1f' y='%.1f' text-anchor='middle'>%g</text>\n", axes.x(ms), bottom + 16, ms);
    }
  }
  append(text, "<path d='M%.1f %.1fV%.1fH%.1f' stroke='black' fill='none'/>\n", kLeft, kTop, bottom, right);
  append(text, "<text x='%.1f' y='%.1f' text-anchor='middle'>latency, ms (logarithmic)</text>\n",
         (kLeft + right) / 2, bottom + 36);
  append(text,
         "<text transform='translate(14 %.1f) rotate(-90)' text-anchor='middle'>ImageNet top-1</text>\n",
         (kTop + bottom) / 2);
}

/// A mark of the series' shape: circles for ours, squares, triangles and diamonds for peers.
void draw_mark(std::string& text, double x, double y, const char* colour, const PlotSeries& series,
               std::size_t shape) {
  const char* fill = series.estimated ? "white" : colour;
  if (series.ours) {
    append(text, "<circle cx='%.1f' cy='%.1f' r='4' fill='%s' stroke='%s' stroke-width='1.5'/>\n", x, y, fill,
           colour);
    return;
  }
  static constexpr const char* kShapes[] = {"m-4 -4h8v8h-8z", "m0 -5l5 9h-10z", "m0 -5l5 5l-5 5l-5 -5z",
                                            "m0 5l5 -9h-10z"};
  append(text, "<path d='M%.1f %.1f%s' fill='%s' stroke='%s' stroke-width='1.5'/>\n", x, y,
         kShapes[shape % kPeerColourCount], fill, colour);
}

void draw_series(std::string& text, const Axes& axes, const PlotSeries& series, const char* colour,
                 std::size_t shape, double legend_y) {
  std::string line;
  for (const PlotPoint& p : series.points)
    append(line, "%s%.1f %.1f", line.empty() ? "M" : "L", axes.x(p.ms), axes.y(p.top1));
  // Not through append(): a line may have any number of points.
  text += "<path d='" + line + "' fill='none' stroke='" + colour + "' stroke-width='1.5'" +
          (series.estimated ? " stroke-dasharray='5 4'/>\n" : "/>\n");
  for (const PlotPoint& p : series.points)
    draw_mark(text, axes.x(p.ms), axes.y(p.top1), colour, series, shape);
  const double x = kWidth - kRight - 250;
  draw_mark(text, x, legend_y - 4, colour, series, shape);
  append(text, "<text x='%.1f' y='%.1f'>", x + 12, legend_y);
  text += svg::escaped(series.label) + "</text>\n";
}

void draw_arrow(std::string& text, const Axes& axes, const PlotArrow& arrow) {
  const double x1 = axes.x(arrow.from.ms), y1 = axes.y(arrow.from.top1);
  const double x2 = axes.x(arrow.to.ms), y2 = axes.y(arrow.to.top1);
  append(text,
         "<path d='M%.1f %.1fL%.1f %.1f' stroke='black' stroke-dasharray='2 3' marker-end='url(#tip)'/>\n",
         x1, y1, x2, y2);
  // On the line, nearer to its tip, with a white rim that keeps the line out of the letters.
  append(text,
         "<text x='%.1f' y='%.1f' text-anchor='middle' font-weight='bold' stroke='white' stroke-width='4' "
         "paint-order='stroke'>",
         x1 + 0.7 * (x2 - x1), y1 + 0.7 * (y2 - y1) + 4);
  text += svg::escaped(arrow.label) + "</text>\n";
}
}  // namespace

std::string plot_headline(const std::string& title, const std::vector<PlotSeries>& series,
                          const std::vector<PlotArrow>& arrows) {
  const Axes axes(series);
  std::string text = svg::begin(kWidth, kHeight);
  text +=
      "<defs><marker id='tip' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' markerHeight='7' "
      "orient='auto'><path d='M0 0L8 4L0 8z'/></marker></defs>\n";
  append(text, "<text x='%.0f' y='22' font-size='13' font-weight='bold'>", kLeft);
  text += svg::escaped(title) + "</text>\n";
  draw_axes(text, axes);
  std::size_t peer = 0;
  double legend_y = kHeight - kBottom - 16 * static_cast<double>(series.size());
  for (const PlotSeries& s : series) {
    const std::size_t shape = s.ours ? 0 : peer++;
    draw_series(text, axes, s, s.ours ? kOurColour : kPeerColours[shape % kPeerColourCount], shape, legend_y);
    legend_y += 16;
  }
  for (const PlotArrow& arrow : arrows) draw_arrow(text, axes, arrow);
  return text + "</svg>\n";
}

}  // namespace dofa::bench
