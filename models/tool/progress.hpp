// SPDX-License-Identifier: Apache-2.0
// A line of progress on stderr, rewritten in place on a terminal and absent elsewhere. Single-threaded.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>

namespace dofa::tool {

class Progress {
 public:
  Progress(std::string label, std::size_t total)
      : label_(std::move(label)), total_(total), shown_(isatty(2) == 1) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    if (shown_) std::fputs("\r\033[K", stderr);
  }

  void step(std::size_t count = 1) {
    done_ += count;
    if (shown_) std::fprintf(stderr, "\r\033[K%s %zu of %zu", label_.c_str(), done_, total_);
  }

 private:
  std::string label_;
  std::size_t total_;
  std::size_t done_ = 0;
  bool shown_;
};

}  // namespace dofa::tool
