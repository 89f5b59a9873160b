// SPDX-License-Identifier: Apache-2.0
// The few shapes that plots are made of, as SVG text, and axes with round numbers. Coordinates in pixels, y
// downwards. Pure functions over strings.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dofa::recording {

/// `text` with XML's special characters as entities and control characters left out.
std::string escaped(std::string_view text);

/// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string formatted(const char* format, ...);

/// Round steps (1, 2 or 5 times a power of ten) from 0 to at most `highest`, about `wanted` of them.
std::vector<double> ticks(double highest, int wanted);
/// With as many decimals as the step between ticks needs: "0.5", "20".
std::string tick_label(double value, double step);

/// Of level `level` of `levels`, from dark blue (fast) over green to amber (accurate); told apart by
/// lightness too, and legible on white.
std::string level_colour(std::size_t level, std::size_t levels);

struct TextStyle {
  const char* colour = "#333";
  const char* anchor = "start";
  double size = 12;
  bool bold = false;
};
std::string text_at(double x, double y, std::string_view words, const TextStyle& style = {});
std::string line_at(double x1, double y1, double x2, double y2, const char* colour, double width = 1);

}  // namespace dofa::recording
