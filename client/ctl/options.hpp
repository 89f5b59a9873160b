// SPDX-License-Identifier: Apache-2.0
// A small, strict option parser: long options only (`--name VALUE` or `--name=VALUE`, anywhere on the line;
// `--` ends them), each at most once unless it repeats, every mistake named in one line. Pure functions over
// strings.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/ctl/usage.hpp"

namespace dofa::ctl {

struct Option {
  std::string_view name;   ///< with its dashes
  std::string_view value;  ///< what to call its value in the help; empty where it takes none
  std::string_view help;
  bool repeats = false;
};

class CommandLine {
 public:
  CommandLine() = default;
  CommandLine(std::vector<std::string> arguments,
              std::map<std::string, std::vector<std::string>, std::less<>> options)
      : arguments_(std::move(arguments)), options_(std::move(options)) {}

  /// Everything that is no option, in order.
  [[nodiscard]] const std::vector<std::string>& arguments() const { return arguments_; }
  [[nodiscard]] bool has(std::string_view option) const { return options_.contains(option); }
  [[nodiscard]] std::optional<std::string> text(std::string_view option) const;
  [[nodiscard]] std::vector<std::string> all(std::string_view option) const;
  /// These throw UsageError where the value is not such a number, or lies outside [low, high].
  [[nodiscard]] std::optional<std::uint64_t> integer(std::string_view option, std::uint64_t low,
                                                     std::uint64_t high) const;
  [[nodiscard]] std::optional<double> number(std::string_view option, double low, double high) const;

 private:
  std::vector<std::string> arguments_;
  std::map<std::string, std::vector<std::string>, std::less<>> options_;
};

/// Throws UsageError.
CommandLine parse_options(std::span<const std::string> words, std::span<const Option> known);

/// Index in `words` of the first that is neither one of `known` nor such an option's value; words.size()
/// where all are.
std::size_t first_argument(std::span<const std::string> words, std::span<const Option> known);

/// The whole text as a number, in the C locale; nothing where it is something else, infinite or NaN.
std::optional<std::uint64_t> parse_integer(std::string_view text);
std::optional<double> parse_number(std::string_view text);

/// "; did you mean 'X'?" where one of `candidates` is close to `word`, else "".
std::string suggestion(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace dofa::ctl
