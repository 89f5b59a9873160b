// SPDX-License-Identifier: Apache-2.0
// The panels of a plot, one above the other on a common time axis. Each draws into SVG text from a given y on
// and says how much height it took. Pure functions.
#pragma once

#include <string>

#include "client/recording/recording.hpp"

namespace dofa::recording {

inline constexpr double kPageWidth = 1120;
inline constexpr double kPlotLeft = 64;
inline constexpr double kPlotWidth = 860;  // what is left of the page holds the legends

/// From the time of a line to its x.
struct TimeAxis {
  double seconds = 1;  ///< from the left to the right end
  [[nodiscard]] double x(std::int64_t t_us) const {
    return kPlotLeft + kPlotWidth * static_cast<double>(t_us) / 1e6 / seconds;
  }
};

/// These append to `svg` and return the height they took.
double draw_session(std::string& svg, const Session& session, const std::vector<Level>& levels,
                    const TimeAxis& time, std::int64_t end_us, double y);
double draw_processor(std::string& svg, const std::string& name, const std::vector<Sample>& samples,
                      const TimeAxis& time, double y);

/// "30 ms, 25 frames/s, top-1 of 60 % at least": a contract in words, without what is as by default.
std::string words_of(const client::Contract& contract);
/// "large to small on cpu: load rose", "contract cannot be kept: …; nearest: …" (what differs from the
/// contract in force then).
std::string words_of(const Mark& mark, const Session& session);

/// The frame of a panel: a faint ground, horizontal lines with labels at `values` and time marks beneath.
void draw_axes(std::string& svg, const TimeAxis& time, double y, double height,
               const std::vector<double>& values, double highest, const char* unit);

}  // namespace dofa::recording
