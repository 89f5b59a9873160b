// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/options.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

namespace dofa::ctl {

namespace {

bool is_option(std::string_view word) {
  return word.size() > 1 && word.front() == '-';
}

/// `--name=value` in two; without `=` the value is absent.
std::pair<std::string_view, std::optional<std::string_view>> split(std::string_view word) {
  const auto equals = word.find('=');
  if (equals == word.npos) return {word, std::nullopt};
  return {word.substr(0, equals), word.substr(equals + 1)};
}

const Option* find(std::string_view name, std::span<const Option> known) {
  const auto found = std::ranges::find(known, name, &Option::name);
  return found == known.end() ? nullptr : &*found;
}

std::string quoted(std::string_view word) {
  return "'" + std::string(word) + "'";
}

/// Levenshtein's distance: insertions, deletions and substitutions from one word to the other.
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t substituted = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, substituted});
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string> CommandLine::text(std::string_view option) const {
  const auto found = options_.find(option);
  if (found == options_.end()) return std::nullopt;
  return found->second.back();
}

std::vector<std::string> CommandLine::all(std::string_view option) const {
  const auto found = options_.find(option);
  return found == options_.end() ? std::vector<std::string>{} : found->second;
}

std::optional<std::uint64_t> CommandLine::integer(std::string_view option, std::uint64_t low,
                                                  std::uint64_t high) const {
  const auto value = text(option);
  if (!value) return std::nullopt;
  const auto number = parse_integer(*value);
  if (!number || *number < low || *number > high)
    throw UsageError("option " + quoted(option) + " wants a whole number from " + std::to_string(low) +
                     " to " + std::to_string(high) + ", not " + quoted(*value));
  return number;
}

std::optional<double> CommandLine::number(std::string_view option, double low, double high) const {
  const auto value = text(option);
  if (!value) return std::nullopt;
  const auto number = parse_number(*value);
  if (!number || *number < low || *number > high) {
    char range[64];
    std::snprintf(range, sizeof range, "%g to %g", low, high);
    throw UsageError("option " + quoted(option) + " wants a number from " + range + ", not " +
                     quoted(*value));
  }
  return number;
}

CommandLine parse_options(std::span<const std::string> words, std::span<const Option> known) {
  std::vector<std::string> arguments;
  std::map<std::string, std::vector<std::string>, std::less<>> options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--") {
      arguments.insert(arguments.end(), words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      break;
    }
    if (!is_option(words[i])) {
      arguments.push_back(words[i]);
      continue;
    }
    auto [name, value] = split(words[i]);
    const Option* option = find(name, known);
    if (option == nullptr) {
      std::vector<std::string_view> names;
      for (const auto& one : known) names.push_back(one.name);
      throw UsageError("unknown option " + quoted(name) + suggestion(name, names));
    }
    if (option->value.empty() && value) throw UsageError("option " + quoted(name) + " takes no value");
    if (!option->value.empty() && !value) {
      if (i + 1 == words.size())
        throw UsageError("option " + quoted(name) + " needs a value: " + std::string(name) + " " +
                         std::string(option->value));
      value = words[++i];
    }
    auto& values = options[std::string(name)];
    if (!values.empty() && !option->repeats) throw UsageError("option " + quoted(name) + " is given twice");
    values.emplace_back(value.value_or(""));
  }
  return {std::move(arguments), std::move(options)};
}

std::size_t first_argument(std::span<const std::string> words, std::span<const Option> known) {
  std::size_t i = 0;
  while (i < words.size() && is_option(words[i]) && words[i] != "--") {
    const auto [name, value] = split(words[i]);
    const Option* option = find(name, known);
    i += option != nullptr && !option->value.empty() && !value ? 2 : 1;
  }
  return std::min(i, words.size());
}

std::optional<std::uint64_t> parse_integer(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

std::optional<double> parse_number(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

std::string suggestion(std::string_view word, std::span<const std::string_view> candidates) {
  const auto nearest = std::ranges::min_element(
      candidates, {}, [&](std::string_view candidate) { return distance(word, candidate); });
  if (nearest == candidates.end()) return "";
  // Close means: more letters right than wrong.
  const std::size_t wrong = distance(word, *nearest);
  if (wrong > 3 || wrong * 2 >= nearest->size()) return "";
  return "; did you mean " + quoted(*nearest) + "?";
}

}  // namespace dofa::ctl
