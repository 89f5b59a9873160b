// SPDX-License-Identifier: Apache-2.0
// What dofa-model's verbs share: how they see their arguments, and how they end. Single-threaded.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base.hpp"

namespace dofa::tool {

/// Exit codes of the program; documented in its help.
enum ExitCode : int { kExitOk = 0, kExitFailed = 1, kExitUsage = 2, kExitNotFound = 3 };

/// A wrong command line; main() prints it and exits with kExitUsage.
struct UsageError {
  std::string message;
  bool show_usage = false;  ///< the verb's usage line says the rest
};

/// One option a verb takes: "--name VALUE", or "--name" alone where `value` is empty.
struct Option {
  std::string_view name;   ///< with its dashes; "-o" style too
  std::string_view value;  ///< the value's name in the help
  std::string_view help;
};

/// A parsed command line. Accessors throw UsageError for values that do not fit.
class Arguments {
 public:
  /// Words behind the verb: options anywhere, "--name=value" too, "--" ends them.
  Arguments(std::span<const Option> options, std::span<const std::string> words);

  [[nodiscard]] bool has(std::string_view option) const { return values_.contains(option); }
  [[nodiscard]] std::optional<std::string> text(std::string_view option) const;
  [[nodiscard]] std::string required(std::string_view option) const;
  [[nodiscard]] double number(std::string_view option, double fallback, double low, double high) const;
  [[nodiscard]] std::int64_t integer(std::string_view option, std::int64_t fallback, std::int64_t low,
                                     std::int64_t high) const;
  /// Integers separated by commas; empty where the option is absent.
  [[nodiscard]] std::vector<std::int64_t> integers(std::string_view option) const;
  /// Between `least` and `most` words that belong to no option.
  [[nodiscard]] const std::vector<std::string>& positional(std::size_t least, std::size_t most) const;
  [[nodiscard]] bool json() const { return has("--json"); }

 private:
  std::map<std::string, std::string, std::less<>> values_;
  std::vector<std::string> positional_;
};

/// One verb; the table in verbs.cpp lists them.
struct Verb {
  std::string_view name;
  std::string_view arguments;  ///< as in the help's usage line
  std::string_view summary;
  std::span<const Option> options;
  Result<int> (*run)(const Arguments& arguments);  ///< an exit code, or an error that main() prints
};
std::span<const Verb> verbs();

}  // namespace dofa::tool
