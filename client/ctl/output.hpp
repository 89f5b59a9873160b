// SPDX-License-Identifier: Apache-2.0
// Where dofactl's words go: data to stdout, everything else to stderr. Thread-safe: one call is one piece.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "proto/json_writer.hpp"

namespace dofa::ctl {

/// The reader of our stdout went away (`dofactl … | head`): no error, but nobody to work for any more.
struct OutputClosed {};

/// Writes all of it to stdout at once. Throws OutputClosed, or std::system_error for a full disk and the
/// like.
void print(std::string_view text);
inline void print(const json::Writer& writer) {
  print(writer.text() + "\n");
}

/// One line on stderr, "dofactl: …".
void complain(std::string_view message);

enum class ColorMode { kAuto, kAlways, kNever };
/// Auto: on a terminal, unless NO_COLOR is set to anything (no-color.org) or TERM is "dumb".
bool use_color(ColorMode mode);
/// Columns of the terminal on stdout; 0 where stdout is none.
std::size_t terminal_width();

}  // namespace dofa::ctl
