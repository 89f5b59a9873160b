// SPDX-License-Identifier: Apache-2.0
// What could stand in place of the last word of a command line. Pure but for the source of the names that
// only the service knows, which is asked at most once and only where it matters.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace dofa::ctl {

/// Names at the service now. Each may throw or be slow; what throws completes to nothing.
struct NameSource {
  std::function<std::vector<std::string>()> families;
  std::function<std::vector<std::string>()> sessions;
  std::function<std::vector<std::string>()> processors;
};

struct Completion {
  enum class Files { kNone, kFiles, kDirectories };
  std::vector<std::string> words;  ///< that begin with the last word; one that ends in '=' wants more
  Files files = Files::kNone;      ///< the shell knows these itself
};

/// `words`: the command line after the program's name, the last one being completed (perhaps empty).
Completion complete(std::span<const std::string> words, const NameSource& names);

}  // namespace dofa::ctl
