// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/contract_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <variant>
#include <vector>

#include "client/ctl/options.hpp"
#include "proto/names.hpp"

namespace dofa::ctl {

namespace {

using client::Contract;
namespace key = proto::contract_key;

template <class T>
using Field = std::optional<T> Contract::*;
using AnyField = std::variant<Field<std::uint64_t>, Field<std::uint32_t>, Field<double>, Field<std::string>>;
struct Key {
  std::string_view name;
  AnyField field;
};
const std::array<Key, 9> kKeys{{{key::kLatencyBudgetUs, &Contract::latency_budget_us},
                                {key::kMinAccuracy, &Contract::min_accuracy},
                                {key::kPeriodUs, &Contract::period_us},
                                {key::kObjective, &Contract::objective},
                                {key::kPercentile, &Contract::percentile},
                                {key::kPriority, &Contract::priority},
                                {key::kWhenLate, &Contract::when_late},
                                {key::kLevel, &Contract::level},
                                {key::kProcessor, &Contract::processor}}};

std::optional<std::string> parse(std::string_view text, std::optional<std::string>*) {
  return std::string(text);
}
std::optional<double> parse(std::string_view text, std::optional<double>*) {
  return parse_number(text);
}
std::optional<std::uint64_t> parse(std::string_view text, std::optional<std::uint64_t>*) {
  return parse_integer(text);
}
std::optional<std::uint32_t> parse(std::string_view text, std::optional<std::uint32_t>*) {
  const auto wide = parse_integer(text);
  if (!wide || *wide > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return static_cast<std::uint32_t>(*wide);
}

constexpr const char* kind_of(const std::optional<std::string>&) {
  return "a word";
}
constexpr const char* kind_of(const std::optional<double>&) {
  return "a number";
}
template <class Integer>
constexpr const char* kind_of(const std::optional<Integer>&) {
  return "a whole number";
}

std::string words_of(const std::string& text) {
  return text;
}
template <class Number>
std::string words_of(Number number) {
  char digits[40];
  return {digits, std::to_chars(digits, digits + sizeof digits, number).ptr};
}

}  // namespace

void set_from_text(Contract& contract, std::string_view assignment) {
  const auto equals = assignment.find('=');
  const auto name = assignment.substr(0, equals);
  std::vector<std::string_view> names;
  for (const auto& one : kKeys) {
    names.push_back(one.name);
    if (one.name != name) continue;
    if (equals == assignment.npos)
      throw UsageError("contract key '" + std::string(name) + "' needs a value: " + std::string(name) + "=…");
    std::visit(
        [&](auto field) {
          auto& target = contract.*field;
          if (target) throw UsageError("contract key '" + std::string(name) + "' is given twice");
          const auto text = assignment.substr(equals + 1);
          target = parse(text, &target);
          if (!target || text.empty())
            throw UsageError("contract key '" + std::string(name) + "' wants " + kind_of(target) + ", not '" +
                             std::string(text) + "'");
        },
        one.field);
    return;
  }
  throw UsageError("unknown contract key '" + std::string(name) + "'" + suggestion(name, names));
}

std::vector<std::string_view> contract_keys() {
  std::vector<std::string_view> names;
  for (const auto& one : kKeys) names.push_back(one.name);
  return names;
}

std::span<const std::string_view> contract_words(std::string_view name) {
  static constexpr std::array<std::string_view, 3> kObjectives{"accuracy", "energy", "latency"};
  static constexpr std::array<std::string_view, 2> kWhenLate{"deliver", "drop"};
  if (name == key::kObjective) return kObjectives;
  if (name == key::kWhenLate) return kWhenLate;
  return {};
}

void change_from_text(Contract& changes, std::string_view assignment) {
  if (!assignment.ends_with('=')) return set_from_text(changes, assignment);
  const auto name = assignment.substr(0, assignment.size() - 1);
  const auto known = std::ranges::find(kKeys, name, &Key::name);
  if (known == kKeys.end()) return set_from_text(changes, assignment);  // which says so
  const bool set = std::visit([&](auto field) { return (changes.*field).has_value(); }, known->field);
  if (set || std::ranges::find(changes.unset, name) != changes.unset.end())
    throw UsageError("contract key '" + std::string(name) + "' is given twice");
  changes.unset.emplace_back(name);
}

std::string to_text(const Contract& contract) {
  std::string text;
  for (const auto& one : kKeys) {
    std::visit(
        [&](auto field) {
          const auto& value = contract.*field;
          if (value) text += (text.empty() ? "" : " ") + std::string(one.name) + "=" + words_of(*value);
        },
        one.field);
  }
  return text;
}

void write_json(json::Writer& writer, const Contract& contract) {
  writer.begin_object();
  for (const auto& one : kKeys) {
    std::visit(
        [&](auto field) {
          const auto& value = contract.*field;
          if (value) writer.member(one.name, *value);
        },
        one.field);
  }
  writer.end_object();
}

}  // namespace dofa::ctl
