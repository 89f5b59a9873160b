// SPDX-License-Identifier: Apache-2.0
#include "client/recording/svg.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace dofa::recording {

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '<') {
      result += "&lt;";
    } else if (c == '>') {
      result += "&gt;";
    } else if (c == '&') {
      result += "&amp;";
    } else if (c == '"') {
      result += "&quot;";
    } else if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) {
      result += c;
    }
  }
  return result;
}

std::string formatted(const char* format, ...) {
  std::array<char, 512> line;
  va_list arguments;
  va_start(arguments, format);
  const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
  va_end(arguments);
  return {line.data(), std::min(static_cast<std::size_t>(std::max(length, 0)), line.size() - 1)};
}

std::vector<double> ticks(double highest, int wanted) {
  if (!(highest > 0)) return {0};
  const double rough = highest / wanted;
  const double magnitude = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * magnitude;
  for (const double round : {1.0, 2.0, 5.0}) {
    if (round * magnitude >= rough) {
      step = round * magnitude;
      break;
    }
  }
  std::vector<double> values;
  for (int i = 0; step * i <= highest * 1.000001; ++i) values.push_back(step * i);
  return values;
}

std::string tick_label(double value, double step) {
  const int decimals = step >= 1 || step <= 0 ? 0 : static_cast<int>(std::ceil(-std::log10(step) - 1e-9));
  return formatted("%.*f", decimals, value);
}

std::string level_colour(std::size_t level, std::size_t levels) {
  // Stops of the viridis map (matplotlib, CC0), its yellow end darkened for a white ground.
  struct Colour {
    double red, green, blue;
  };
  constexpr std::array<Colour, 5> kStops{
      {{68, 1, 84}, {59, 82, 139}, {33, 145, 140}, {94, 187, 80}, {230, 160, 0}}};
  const double share = levels < 2 ? 0.5 : static_cast<double>(level) / static_cast<double>(levels - 1);
  const double at = std::clamp(share, 0.0, 1.0) * (kStops.size() - 1);
  const auto below = std::min(static_cast<std::size_t>(at), kStops.size() - 2);
  const double part = at - static_cast<double>(below);
  const auto mixed = [&](double Colour::*channel) {
    return static_cast<int>(
        std::lround(kStops[below].*channel * (1 - part) + kStops[below + 1].*channel * part));
  };
  return formatted("#%02x%02x%02x", mixed(&Colour::red), mixed(&Colour::green), mixed(&Colour::blue));
}

std::string text_at(double x, double y, std::string_view words, const TextStyle& style) {
  return formatted("<text x='%.1f' y='%.1f' fill='%s' text-anchor='%s' font-size='%.1f'%s>", x, y,
                   style.colour, style.anchor, style.size, style.bold ? " font-weight='600'" : "") +
         escaped(words) + "</text>\n";
}

std::string line_at(double x1, double y1, double x2, double y2, const char* colour, double width) {
  return formatted("<path d='M%.1f %.1fL%.1f %.1f' stroke='%s' stroke-width='%.2g' fill='none'/>\n", x1, y1,
                   x2, y2, colour, width);
}

}  // namespace dofa::recording
