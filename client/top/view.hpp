// SPDX-License-Identifier: Apache-2.0
// The screen of `dofactl top` as text: from what is known and chosen to lines of styled pieces, exactly as
// many as the screen has and none wider. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/top/model.hpp"
#include "client/top/ui.hpp"

namespace dofa::top {

enum class Style {
  kPlain,
  kStrong,
  kFaint,
  kTitle,
  kHeader,
  kSelected,
  kGood,
  kWarning,
  kBad,
  kOwn,
  kOthers
};

struct Piece {
  std::string text;
  Style style = Style::kPlain;
};
using Line = std::vector<Piece>;

struct Screen {
  std::vector<Line> lines;
  std::optional<std::size_t> cursor = {};  ///< column on the last line, while something is typed
};

struct Canvas {
  std::size_t width = 80;
  std::size_t height = 24;
  bool ascii = false;      ///< the terminal has no UTF-8
  std::string clock = {};  ///< local time of day
};

Screen draw(const Model& model, const Ui& ui, const Canvas& canvas);

/// The last `width` intervals as bars, one a column, the older ones left; `budget_us` 0 = none. A bar of a
/// missed frame is styled kBad. Reaches the top at 4/3 of the budget, or at the largest shown where there is
/// none.
Line sparkline(const std::deque<Interval>& history, std::uint64_t budget_us, std::size_t width, bool ascii);

/// `width` columns: the service's own share, the other programs', the rest empty. Shares 0..1.
Line load_bar(double load, double others, std::size_t width, bool ascii);

}  // namespace dofa::top
