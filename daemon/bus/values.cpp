// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus/values.hpp"

#include <functional>
#include <limits>
#include <optional>

#include "daemon/control/frame.hpp"
#include "proto/names.hpp"

namespace dofa::bus {
namespace {

namespace key = proto::contract_key;

Error invalid(const std::string& name, const std::string& what) {
  return {ErrorCode::kInvalidArgument, "'" + name + "' " + what};
}

template <class T>
std::optional<std::int64_t> integer_as(const sdbus::Variant& value) {
  if (!value.containsValueOfType<T>()) return std::nullopt;
  const T number = value.get<T>();
  if constexpr (sizeof(T) == 8 && std::is_unsigned_v<T>) {
    if (number > static_cast<T>(std::numeric_limits<std::int64_t>::max()))
      return std::numeric_limits<std::int64_t>::max();
  }
  return static_cast<std::int64_t>(number);
}

/// Any D-Bus integer type: shells and bindings rarely pick the right one.
std::optional<std::int64_t> integer(const sdbus::Variant& value) {
  for (const auto& read : {integer_as<std::uint8_t>, integer_as<std::int16_t>, integer_as<std::uint16_t>,
                           integer_as<std::int32_t>, integer_as<std::uint32_t>, integer_as<std::int64_t>,
                           integer_as<std::uint64_t>}) {
    if (const auto number = read(value)) return number;
  }
  return std::nullopt;
}

Result<std::int64_t> read_integer(const std::string& name, const sdbus::Variant& value, std::int64_t low,
                                  std::int64_t high) {
  const auto number = integer(value);
  if (!number || *number < low || *number > high) {
    return invalid(name,
                   "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return *number;
}

Result<double> read_number(const std::string& name, const sdbus::Variant& value) {
  if (value.containsValueOfType<double>()) return value.get<double>();
  if (const auto number = integer(value)) return static_cast<double>(*number);
  return invalid(name, "must be a number");
}

Result<std::string> read_text(const std::string& name, const sdbus::Variant& value) {
  if (!value.containsValueOfType<std::string>()) return invalid(name, "must be text");
  return value.get<std::string>();
}

Result<bool> read_flag(const std::string& name, const sdbus::Variant& value) {
  if (!value.containsValueOfType<bool>()) return invalid(name, "must be true or false");
  return value.get<bool>();
}

template <class Target, class T>
Result<void> store(Target& target, Result<T> value) {
  if (!value) return value.error();
  target = static_cast<T>(*value);
  return {};
}

/// One key of a dictionary into a struct.
template <class Struct>
using Reader = std::function<Result<void>(Struct&, const std::string&, const sdbus::Variant&)>;

template <class Struct>
Result<void> read_all(const Dictionary& dictionary, const std::map<std::string, Reader<Struct>>& readers,
                      Struct& into) {
  for (const auto& [name, value] : dictionary) {
    const auto reader = readers.find(name);
    if (reader == readers.end()) return invalid(name, "is not a known key");
    if (auto read = reader->second(into, name, value); !read) return read;
  }
  return {};
}

using policy::Contract;

/// A whole number into an unsigned member; policy::validate() may have a narrower range.
template <class Target>
Reader<Contract> whole(Target Contract::*member, std::int64_t low,
                       std::int64_t high = std::numeric_limits<std::uint32_t>::max()) {
  return [=](Contract& contract, const std::string& name, const sdbus::Variant& value) -> Result<void> {
    const auto number = read_integer(name, value, low, high);
    if (!number) return number.error();
    contract.*member = static_cast<std::uint32_t>(*number);
    return {};
  };
}

Reader<Contract> duration(std::optional<std::int64_t> Contract::*member) {
  return [=](Contract& contract, const std::string& name, const sdbus::Variant& value) {
    return store(contract.*member,
                 read_integer(name, value, policy::kMinContractTimeUs, policy::kMaxContractTimeUs));
  };
}

Reader<Contract> fraction(double Contract::*member) {
  return [=](Contract& contract, const std::string& name, const sdbus::Variant& value) {
    return store(contract.*member, read_number(name, value));
  };
}

template <class Enum>
Reader<Contract> word(Enum Contract::*member, Result<Enum> (*parse)(std::string_view)) {
  return [=](Contract& contract, const std::string& name, const sdbus::Variant& value) -> Result<void> {
    const auto text = read_text(name, value);
    if (!text) return text.error();
    return store(contract.*member, parse(*text));
  };
}

const std::map<std::string, Reader<Contract>>& contract_readers() {
  static const std::map<std::string, Reader<Contract>> readers{
      {key::kLatencyBudgetUs, duration(&Contract::latency_budget_us)},
      {key::kMinAccuracy, fraction(&Contract::min_accuracy)},
      {key::kPeriodUs, duration(&Contract::period_us)},
      {key::kObjective, word(&Contract::objective, policy::parse_objective)},
      {key::kPercentile, fraction(&Contract::percentile)},
      {key::kPriority, whole(&Contract::priority, 1, policy::kMaxPriority)},
      {key::kWhenLate, word(&Contract::when_late, policy::parse_when_late)},
      {key::kLevel, whole(&Contract::level, 0)},
      {key::kProcessor, [](Contract& contract, const std::string& name, const sdbus::Variant& value) {
         return store(contract.processor, read_text(name, value));
       }}};
  return readers;
}

template <class Member>
std::function<void(Contract&)> default_of(Member Contract::*member) {
  return [=](Contract& contract) { contract.*member = Contract{}.*member; };
}

Result<void> unset_keys(Contract& contract, const sdbus::Variant& names) {
  static const std::map<std::string, std::function<void(Contract&)>> defaults{
      {key::kLatencyBudgetUs, default_of(&Contract::latency_budget_us)},
      {key::kMinAccuracy, default_of(&Contract::min_accuracy)},
      {key::kPeriodUs, default_of(&Contract::period_us)},
      {key::kObjective, default_of(&Contract::objective)},
      {key::kPercentile, default_of(&Contract::percentile)},
      {key::kPriority, default_of(&Contract::priority)},
      {key::kWhenLate, default_of(&Contract::when_late)},
      {key::kLevel, default_of(&Contract::level)},
      {key::kProcessor, default_of(&Contract::processor)}};
  if (!names.containsValueOfType<std::vector<std::string>>())
    return invalid(key::kUnset, "must be a list of keys");
  for (const auto& name : names.get<std::vector<std::string>>()) {
    const auto found = defaults.find(name);
    if (found == defaults.end()) return invalid(name, "is not a known key");
    found->second(contract);
  }
  return {};
}

/// A whole number in [low, high] into a 32-bit member.
template <class Struct>
Reader<Struct> number(std::uint32_t Struct::*member, std::int64_t low, std::int64_t high) {
  return [=](Struct& into, const std::string& name, const sdbus::Variant& value) -> Result<void> {
    const auto whole_number = read_integer(name, value, low, high);
    if (!whole_number) return whole_number.error();
    into.*member = static_cast<std::uint32_t>(*whole_number);
    return {};
  };
}

/// The keys that describe a frame, whether it comes alone or in a stream; Struct has members layout and
/// top_k.
template <class Struct>
std::map<std::string, Reader<Struct>> frame_readers() {
  using Layout = engine::ImageLayout;
  const auto side = [](std::uint32_t Layout::*member) -> Reader<Struct> {
    return [read = number(member, 0, std::numeric_limits<std::uint32_t>::max())](
               Struct& format, const std::string& name, const sdbus::Variant& value) {
      return read(format.layout, name, value);
    };
  };
  return {{"width", side(&Layout::width)},
          {"height", side(&Layout::height)},
          {"stride", side(&Layout::stride)},
          {"format",
           [](Struct& format, const std::string& name, const sdbus::Variant& value) -> Result<void> {
             const auto text = read_text(name, value);
             if (!text) return text.error();
             return store(format.layout.format, engine::parse_pixel_format(*text));
           }},
          {"top-k", number(&Struct::top_k, 1, control::kMaxTop)}};
}

const std::map<std::string, Reader<FrameFormat>>& format_readers() {
  static const auto readers = [] {
    auto all = frame_readers<FrameFormat>();
    all["deadline-us"] = [](FrameFormat& format, const std::string& name, const sdbus::Variant& value) {
      return store(format.deadline_us, read_integer(name, value, 1, policy::kMaxContractTimeUs));
    };
    return all;
  }();
  return readers;
}

const std::map<std::string, Reader<control::StreamRequest>>& stream_readers() {
  using control::StreamRequest;
  static const auto readers = [] {
    auto all = frame_readers<StreamRequest>();
    all["slots"] = number(&StreamRequest::slots, 1, std::numeric_limits<std::uint32_t>::max());
    all["raw-output"] = [](StreamRequest& request, const std::string& name, const sdbus::Variant& value) {
      return store(request.raw_output, read_flag(name, value));
    };
    return all;
  }();
  return readers;
}

Result<void> require_size(const Dictionary& dictionary) {
  for (const char* required : {"width", "height"}) {
    if (!dictionary.contains(required)) return invalid(required, "is missing from the format");
  }
  return {};
}

}  // namespace

Result<Contract> parse_contract(const Dictionary& dictionary) {
  Contract contract;
  if (auto read = read_all(dictionary, contract_readers(), contract); !read) return read.error();
  return contract;
}

Result<Contract> apply_changes(Contract contract, const Dictionary& changes) {
  Dictionary rest = changes;
  if (const auto unset = rest.extract(key::kUnset)) {
    if (auto done = unset_keys(contract, unset.mapped()); !done) return done.error();
  }
  if (auto read = read_all(rest, contract_readers(), contract); !read) return read.error();
  return contract;
}

Dictionary to_dictionary(const Contract& contract) {
  Dictionary dictionary;
  const auto set = [&](const char* name, auto value) { dictionary[name] = sdbus::Variant{value}; };
  if (contract.latency_budget_us)
    set(key::kLatencyBudgetUs, static_cast<std::uint64_t>(*contract.latency_budget_us));
  if (contract.period_us) set(key::kPeriodUs, static_cast<std::uint64_t>(*contract.period_us));
  if (contract.level) set(key::kLevel, *contract.level);
  if (contract.processor) set(key::kProcessor, *contract.processor);
  set(key::kMinAccuracy, contract.min_accuracy);
  set(key::kObjective, std::string(policy::to_string(contract.objective)));
  set(key::kPercentile, contract.percentile);
  set(key::kPriority, contract.priority);
  set(key::kWhenLate, std::string(policy::to_string(contract.when_late)));
  return dictionary;
}

Result<FrameFormat> parse_format(const Dictionary& dictionary) {
  if (auto sized = require_size(dictionary); !sized) return sized.error();
  FrameFormat format;
  if (auto read = read_all(dictionary, format_readers(), format); !read) return read.error();
  const auto bytes = engine::check_layout(format.layout);
  if (!bytes) return bytes.error();
  format.bytes = *bytes;
  return format;
}

Result<control::StreamRequest> parse_stream_request(const Dictionary& dictionary) {
  if (auto sized = require_size(dictionary); !sized) return sized.error();
  control::StreamRequest request;
  if (auto read = read_all(dictionary, stream_readers(), request); !read) return read.error();
  return request;
}

Result<bool> parse_force(const Dictionary& options) {
  bool force = false;
  for (const auto& [name, value] : options) {
    if (name != "force") return invalid(name, "is not a known option");
    if (auto read = store(force, read_flag(name, value)); !read) return read.error();
  }
  return force;
}

std::string escape_path(const std::string& text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9')) {
      escaped += c;
    } else {
      escaped += {'_', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return escaped.empty() ? "_" : escaped;
}

}  // namespace dofa::bus
