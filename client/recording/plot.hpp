// SPDX-License-Identifier: Apache-2.0
// A recording as a picture: for each session the latency of every frame by level with the contract's line and
// numbered marks where the sub-network changed, the reasons beneath; then each processor's load and slowdown
// over the same time. Self-contained: no script, no font, no file besides. Pure functions.
#pragma once

#include <string>

#include "client/recording/recording.hpp"

namespace dofa::recording {

/// An SVG document.
std::string plot_svg(const Recording& recording);
/// The same picture in an HTML page, with a table of what each session came to and every event.
std::string plot_html(const Recording& recording);

}  // namespace dofa::recording
