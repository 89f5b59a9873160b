// SPDX-License-Identifier: Apache-2.0
#include "models/search/plot.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>

namespace dofa::search {
namespace {

constexpr double kWidth = 720, kHeight = 440, kLeft = 70, kRight = 20, kTop = 40, kBottom = 50;
constexpr int kTicks = 6;

std::string number(double value, int decimals = 1) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '&')
      out += "&amp;";
    else
      out += c;
  }
  return out;
}

std::string label(double x, double y, const char* anchor, const std::string& text) {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\">" +
         escaped(text) + "</text>\n";
}

/// 1, 2 or 5 times a power of ten, so that about kTicks fit.
double tick_step(double span) {
  const double raw = span / kTicks;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double factor = raw / power;
  return power * (factor < 1.5 ? 1 : factor < 3.5 ? 2 : factor < 7.5 ? 5 : 10);
}

struct Axis {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  double from = 0, to = 0;  ///< on paper

  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  void widen() {
    if (!(low <= high)) low = 0, high = 1;
    const double margin = high > low ? 0.05 * (high - low) : 1;
    low -= margin;
    high += margin;
  }
  [[nodiscard]] double at(double value) const { return from + (value - low) / (high - low) * (to - from); }
};

struct Tick {
  double value = 0;
  std::string text;
};

std::vector<Tick> ticks_of(const Axis& axis) {
  const double step = tick_step(axis.high - axis.low);
  std::vector<Tick> ticks;
  for (auto i = static_cast<std::int64_t>(std::ceil(axis.low / step));
       static_cast<double>(i) * step <= axis.high; ++i)
    ticks.push_back({static_cast<double>(i) * step, number(static_cast<double>(i) * step, step < 1 ? 2 : 0)});
  return ticks;
}

}  // namespace

std::string plot_svg(std::span<const Series> series, const std::string& title, const std::string& cost_label,
                     double unit) {
  Axis x, y;
  for (const Series& one : series) {
    for (const Point& point : one.points) {
      x.add(point.cost / unit);
      y.add(100 * point.accuracy);
    }
  }
  x.widen();
  y.widen();
  x.from = kLeft, x.to = kWidth - kRight;
  y.from = kHeight - kBottom, y.to = kTop;
  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + number(kWidth, 0) + " " +
                    number(kHeight, 0) +
                    "\" font-family=\"sans-serif\" font-size=\"12\">\n"
                    "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  svg += label(kWidth / 2, 22, "middle", title) + label(kWidth / 2, kHeight - 12, "middle", cost_label) +
         label(kLeft, kTop - 8, "end", "top-1 %");
  for (const Tick& tick : ticks_of(x)) {
    svg += "<path d=\"M" + number(x.at(tick.value)) + " " + number(y.from) + "V" + number(y.to) +
           "\" stroke=\"#ddd\"/>\n";
    svg += label(x.at(tick.value), y.from + 16, "middle", tick.text);
  }
  for (const Tick& tick : ticks_of(y)) {
    svg += "<path d=\"M" + number(x.from) + " " + number(y.at(tick.value)) + "H" + number(x.to) +
           "\" stroke=\"#ddd\"/>\n";
    svg += label(x.from - 6, y.at(tick.value) + 4, "end", tick.text);
  }
  double legend = kHeight - kBottom - 12;
  for (const Series& one : series) {
    std::string path;
    for (const Point& point : one.points) {
      const std::string px = number(x.at(point.cost / unit)), py = number(y.at(100 * point.accuracy));
      path += path.empty() ? "M" + px + " " + py : "H" + px + "V" + py;
      svg += "<circle cx=\"" + px + "\" cy=\"" + py + "\" r=\"" + (one.joined ? "2" : "4") + "\" fill=\"" +
             one.colour + "\"/>\n";
    }
    if (one.joined) svg += "<path d=\"" + path + "\" fill=\"none\" stroke=\"" + one.colour + "\"/>\n";
    svg += "<circle cx=\"" + number(kWidth - kRight - 150) + "\" cy=\"" + number(legend - 4) +
           "\" r=\"4\" fill=\"" + one.colour + "\"/>\n" +
           label(kWidth - kRight - 140, legend, "start", one.name);
    legend -= 18;
  }
  return svg + "</svg>\n";
}

}  // namespace dofa::search
