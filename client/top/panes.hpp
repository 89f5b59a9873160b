// SPDX-License-Identifier: Apache-2.0
// The two panes of the screen: processors, and sessions with what is known of the selected one. Pure
// functions.
#pragma once

#include <string>
#include <vector>

#include "client/top/view.hpp"

namespace dofa::top {

/// `text` in exactly `width` columns: cut with an ellipsis, or filled up with blanks.
std::string fitted(const std::string& text, std::size_t width, bool right);

/// A header, and a line a processor.
void draw_processors(std::vector<Line>& lines, const Model& model, const Canvas& canvas);
/// A header, the sessions and details, in at most `room` lines.
void draw_sessions(std::vector<Line>& lines, const Model& model, const Ui& ui, const Canvas& canvas,
                   std::size_t room);

}  // namespace dofa::top
