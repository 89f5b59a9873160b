// SPDX-License-Identifier: Apache-2.0
#include "models/tool/command.hpp"

#include <algorithm>
#include <charconv>

namespace dofa::tool {
namespace {

template <class Number>
Number parse(std::string_view option, std::string_view text, Number low, Number high,
             const char* what = "a number") {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= low && value <= high))
    throw UsageError{std::string(option) + " takes " + what + " from " + std::to_string(low) + " to " +
                     std::to_string(high) + ", not '" + std::string(text) + "'"};
  return value;
}

}  // namespace

Arguments::Arguments(std::span<const Option> options, std::span<const std::string> words) {
  bool options_ended = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (options_ended || word.size() < 2 || word[0] != '-') {
      positional_.push_back(word);
      continue;
    }
    if (word == "--") {
      options_ended = true;
      continue;
    }
    const std::size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    const std::string name = word.substr(0, equals);
    const auto option = std::ranges::find(options, name, &Option::name);
    if (option == options.end()) throw UsageError{"unknown option '" + name + "'"};
    std::string value;
    if (option->value.empty()) {
      if (equals != std::string::npos) throw UsageError{name + " takes no value"};
    } else if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else {
      if (++i == words.size()) throw UsageError{name + " needs a value: " + std::string(option->value)};
      value = words[i];
    }
    if (!values_.emplace(name, value).second) throw UsageError{name + " is given twice"};
  }
}

std::optional<std::string> Arguments::text(std::string_view option) const {
  const auto found = values_.find(option);
  return found == values_.end() ? std::nullopt : std::optional(found->second);
}

std::string Arguments::required(std::string_view option) const {
  auto value = text(option);
  if (!value) throw UsageError{std::string(option) + " is needed"};
  return *value;
}

double Arguments::number(std::string_view option, double fallback, double low, double high) const {
  const auto value = text(option);
  return value ? parse(option, *value, low, high) : fallback;
}

std::int64_t Arguments::integer(std::string_view option, std::int64_t fallback, std::int64_t low,
                                std::int64_t high) const {
  const auto value = text(option);
  return value ? parse(option, *value, low, high) : fallback;
}

std::vector<std::int64_t> Arguments::integers(std::string_view option) const {
  std::vector<std::int64_t> values;
  const auto value = text(option);
  for (std::string_view rest = value ? std::string_view(*value) : std::string_view(); !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    values.push_back(parse<std::int64_t>(option, rest.substr(0, comma), 0, 1'000'000,
                                         "a list of numbers, separated by commas,"));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return values;
}

const std::vector<std::string>& Arguments::positional(std::size_t least, std::size_t most) const {
  if (positional_.size() < least) throw UsageError{"an argument is missing", true};
  if (positional_.size() > most) throw UsageError{"unexpected argument '" + positional_[most] + "'"};
  return positional_;
}

}  // namespace dofa::tool
