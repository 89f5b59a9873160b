// SPDX-License-Identifier: Apache-2.0
// A line that says how long work goes on: written over itself on a terminal, one after the other elsewhere.
// One thread's.
#pragma once

#include <string_view>

namespace dofa::ctl {

class LiveLine {
 public:
  LiveLine();
  /// Ends the line.
  ~LiveLine();
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

  /// Shows `text` (made printable) on stdout. Throws as print() does.
  void show(std::string_view text);
  /// What comes next stands on a line of its own.
  void end();

 private:
  bool terminal_;
  bool open_ = false;
};

}  // namespace dofa::ctl
