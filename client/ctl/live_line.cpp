// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/live_line.hpp"

#include <unistd.h>

#include <string>

#include "client/ctl/output.hpp"
#include "client/ctl/table.hpp"

namespace dofa::ctl {

LiveLine::LiveLine() : terminal_(::isatty(STDOUT_FILENO) == 1) {}

LiveLine::~LiveLine() {
  try {
    end();
  } catch (...) {
    // Nobody reads any more.
  }
}

void LiveLine::show(std::string_view text) {
  const std::string clean = printable(text);
  if (!terminal_) {
    print(clean + "\n");
    return;
  }
  const std::size_t width = terminal_width();
  open_ = true;
  print("\r" + (width == 0 ? clean : cut(clean, width - 1)) + "\033[K");  // the rest of the line goes
}

void LiveLine::end() {
  if (open_) print("\n");
  open_ = false;
}

}  // namespace dofa::ctl
