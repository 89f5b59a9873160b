// SPDX-License-Identifier: Apache-2.0
#include "client/lib/values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "proto/names.hpp"

namespace dofa::client {

namespace {

namespace key = proto::contract_key;

template <class T>
void put(Dictionary& dictionary, const char* name, const std::optional<T>& value) {
  if (value) dictionary.emplace(name, sdbus::Variant{*value});
}

/// Any integer type as the widest one; nothing where it is no integer or negative.
std::optional<std::uint64_t> unsigned_in(const sdbus::Variant& value) {
  const auto natural = [](auto number) -> std::optional<std::uint64_t> {
    if (std::cmp_less(number, 0)) return std::nullopt;
    return static_cast<std::uint64_t>(number);
  };
  if (value.containsValueOfType<std::uint64_t>()) return value.get<std::uint64_t>();
  if (value.containsValueOfType<std::uint32_t>()) return value.get<std::uint32_t>();
  if (value.containsValueOfType<std::uint16_t>()) return value.get<std::uint16_t>();
  if (value.containsValueOfType<std::uint8_t>()) return value.get<std::uint8_t>();
  if (value.containsValueOfType<std::int64_t>()) return natural(value.get<std::int64_t>());
  if (value.containsValueOfType<std::int32_t>()) return natural(value.get<std::int32_t>());
  if (value.containsValueOfType<std::int16_t>()) return natural(value.get<std::int16_t>());
  return std::nullopt;
}

template <class T>
std::optional<T> find(const Dictionary& dictionary, const std::string& name) {
  const auto found = dictionary.find(name);
  if (found == dictionary.end()) return std::nullopt;
  const sdbus::Variant& value = found->second;
  if constexpr (std::is_same_v<T, std::uint64_t>) {
    return unsigned_in(value);
  } else if constexpr (std::is_same_v<T, std::uint32_t>) {
    const auto wide = unsigned_in(value);
    if (!wide || *wide > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
    return static_cast<std::uint32_t>(*wide);
  } else {
    if (!value.containsValueOfType<T>()) return std::nullopt;
    return value.get<T>();
  }
}

template <class T>
T find_or(const Dictionary& dictionary, const std::string& name, T otherwise = {}) {
  return find<T>(dictionary, name).value_or(std::move(otherwise));
}

Subnet subnet_from(const Dictionary& entry) {
  Subnet subnet{.name = find_or<std::string>(entry, "name"),
                .level = find_or<std::uint32_t>(entry, "level"),
                .resolution = find_or<std::uint32_t>(entry, "resolution"),
                .executor = find_or<std::string>(entry, "executor"),
                .macs = find<std::uint64_t>(entry, "macs"),
                .top1 = find<double>(entry, "top1"),
                .top5 = find<double>(entry, "top5"),
                .dataset = find<std::string>(entry, "dataset"),
                .images = find<std::uint32_t>(entry, "images")};
  constexpr std::string_view kLatency = "latency-us:";
  for (const auto& [name, value] : entry) {
    const auto latency = name.starts_with(kLatency) ? unsigned_in(value) : std::nullopt;
    if (!latency) continue;
    const std::string processor = name.substr(kLatency.size());
    subnet.profiles[processor] = {.latency_us = *latency,
                                  .provisional = find_or<bool>(entry, "provisional:" + processor, false)};
  }
  return subnet;
}

constexpr std::array<std::pair<PixelFormat, const char*>, 6> kFormats{
    {{PixelFormat::kRgb8, "rgb8"},
     {PixelFormat::kBgr8, "bgr8"},
     {PixelFormat::kGray8, "gray8"},
     {PixelFormat::kNv12, "nv12"},
     {PixelFormat::kYuyv, "yuyv"},
     {PixelFormat::kFloat32Nchw, "float32-nchw"}}};

Dictionary layout_dictionary(std::uint32_t width, std::uint32_t height, PixelFormat format,
                             std::uint32_t stride) {
  const auto word = std::ranges::find(kFormats, format, &std::pair<PixelFormat, const char*>::first);
  if (word == kFormats.end()) throw Error(ErrorCode::kInvalidArgument, "unknown pixel format");
  Dictionary dictionary{{"width", sdbus::Variant{width}},
                        {"height", sdbus::Variant{height}},
                        {"format", sdbus::Variant{std::string{word->second}}}};
  if (stride != 0) dictionary.emplace("stride", sdbus::Variant{stride});
  return dictionary;
}

Statistics statistics_from(const Dictionary& entries) {
  return {.mean_accuracy = find<double>(entries, "mean-accuracy"),
          .dips = find<std::uint64_t>(entries, "dips"),
          .switches = find<std::uint64_t>(entries, "switches"),
          .switches_last_minute = find<std::uint32_t>(entries, "switches-last-minute"),
          .queue_us_p50 = find<double>(entries, "queue-us-p50"),
          .queue_us_p95 = find<double>(entries, "queue-us-p95"),
          .queue_us_p99 = find<double>(entries, "queue-us-p99"),
          .service_us_p50 = find<double>(entries, "service-us-p50"),
          .service_us_p95 = find<double>(entries, "service-us-p95"),
          .service_us_p99 = find<double>(entries, "service-us-p99")};
}

}  // namespace

Dictionary to_dictionary(const Contract& contract) {
  Dictionary dictionary;
  put(dictionary, key::kLatencyBudgetUs, contract.latency_budget_us);
  put(dictionary, key::kMinAccuracy, contract.min_accuracy);
  put(dictionary, key::kPeriodUs, contract.period_us);
  put(dictionary, key::kObjective, contract.objective);
  put(dictionary, key::kPercentile, contract.percentile);
  put(dictionary, key::kPriority, contract.priority);
  put(dictionary, key::kWhenLate, contract.when_late);
  put(dictionary, key::kLevel, contract.level);
  put(dictionary, key::kProcessor, contract.processor);
  if (!contract.unset.empty()) dictionary.emplace(key::kUnset, sdbus::Variant{contract.unset});
  return dictionary;
}

Dictionary to_dictionary(const Frame& frame, const InferOptions& options) {
  auto dictionary = layout_dictionary(frame.width, frame.height, frame.format, frame.stride);
  put(dictionary, "top-k", options.top_k);
  put(dictionary, "deadline-us", options.deadline_us);
  return dictionary;
}

Dictionary to_dictionary(const StreamOptions& options) {
  auto dictionary = layout_dictionary(options.width, options.height, options.format, options.stride);
  put(dictionary, "slots", options.slots);
  put(dictionary, "top-k", options.top_k);
  if (options.raw_output) dictionary.emplace("raw-output", sdbus::Variant{true});
  return dictionary;
}

Contract contract_from(const Dictionary& dictionary) {
  return {.latency_budget_us = find<std::uint64_t>(dictionary, key::kLatencyBudgetUs),
          .min_accuracy = find<double>(dictionary, key::kMinAccuracy),
          .period_us = find<std::uint64_t>(dictionary, key::kPeriodUs),
          .objective = find<std::string>(dictionary, key::kObjective),
          .percentile = find<double>(dictionary, key::kPercentile),
          .priority = find<std::uint32_t>(dictionary, key::kPriority),
          .when_late = find<std::string>(dictionary, key::kWhenLate),
          .level = find<std::uint32_t>(dictionary, key::kLevel),
          .processor = find<std::string>(dictionary, key::kProcessor)};
}

std::vector<Processor> processors_from(const std::map<std::string, Dictionary>& processors) {
  std::vector<Processor> list;
  for (const auto& [name, readings] : processors) {
    list.push_back({.name = name,
                    .lanes = find<std::uint32_t>(readings, "lanes"),
                    .queue = find<std::uint32_t>(readings, "queue"),
                    .load = find<double>(readings, "load"),
                    .others_load = find<double>(readings, "others-load"),
                    .slowdown = find<double>(readings, "slowdown"),
                    .frequency_mhz = find<double>(readings, "frequency-mhz"),
                    .temperature_celsius = find<double>(readings, "temperature-celsius"),
                    .power_watts = find<double>(readings, "power-watts"),
                    .simd = find<std::string>(readings, "simd"),
                    .model = find<std::string>(readings, "model"),
                    .lost = find<std::string>(readings, "lost")});
  }
  return list;
}

Family family_from(const Dictionary& properties) {
  Family family{.name = find_or<std::string>(properties, "Name"),
                .kind = find_or<std::string>(properties, "Kind"),
                .task = find_or<std::string>(properties, "Task"),
                .labels = find_or<std::vector<std::string>>(properties, "Labels"),
                .resident_bytes = find_or<std::uint64_t>(properties, "ResidentBytes"),
                .subnets = {}};
  for (const auto& entry : find_or<std::vector<Dictionary>>(properties, "Subnets"))
    family.subnets.push_back(subnet_from(entry));
  return family;
}

SessionInfo session_from(const std::string& id, const Dictionary& properties) {
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  return {.id = id,
          .application = find_or<std::string>(properties, "Application"),
          .owner = find_or<std::string>(properties, "Owner"),
          .family = find_or<sdbus::ObjectPath>(properties, "Family"),
          .contract = contract_from(find_or<Dictionary>(properties, "Contract")),
          .subnet = find_or<std::string>(properties, "Subnet"),
          .level = find_or<std::uint32_t>(properties, "Level"),
          .processor = find_or<std::string>(properties, "Processor"),
          .accuracy = find_or<double>(properties, "Accuracy", kUnknown),
          .expected_latency_us = find_or<std::uint64_t>(properties, "ExpectedLatency"),
          .frames = find_or<std::uint64_t>(properties, "Frames"),
          .missed_deadlines = find_or<std::uint64_t>(properties, "MissedDeadlines"),
          .dropped = find_or<std::uint64_t>(properties, "Dropped"),
          .attainment = find_or<double>(properties, "Attainment", kUnknown),
          .statistics = statistics_from(find_or<Dictionary>(properties, "Statistics"))};
}

FrameRecord frame_record_from(const FrameTuple& frame) {
  // An outcome that this library does not know yet is no answer in time.
  constexpr auto kOutcomes =
      std::array{FrameRecord::Outcome::kInTime, FrameRecord::Outcome::kLate, FrameRecord::Outcome::kDropped};
  const std::size_t outcome = std::get<4>(frame);
  return {.arrival_us = std::get<0>(frame),
          .queue_us = std::get<1>(frame),
          .service_us = std::get<2>(frame),
          .level = std::get<3>(frame),
          .outcome = kOutcomes[std::min(outcome, kOutcomes.size() - 1)]};
}

Answer answer_from(const std::vector<sdbus::Struct<std::uint32_t, double>>& top, const Dictionary& info) {
  Answer answer{.top = {},
                .sequence = find_or<std::uint64_t>(info, "sequence"),
                .level = find_or<std::uint32_t>(info, "level"),
                .subnet = find_or<std::string>(info, "subnet"),
                .processor = find_or<std::string>(info, "processor"),
                .late = find_or<bool>(info, "late"),
                .queue_us = find_or<std::uint64_t>(info, "queue-us"),
                .preprocess_us = find_or<std::uint64_t>(info, "preprocess-us"),
                .inference_us = find_or<std::uint64_t>(info, "inference-us")};
  for (const auto& score : top)
    answer.top.push_back({.class_index = std::get<0>(score), .probability = std::get<1>(score)});
  return answer;
}

std::string to_words(const sdbus::Variant& value) {
  if (value.containsValueOfType<std::string>()) return value.get<std::string>();
  if (value.containsValueOfType<sdbus::ObjectPath>()) return value.get<sdbus::ObjectPath>();
  if (value.containsValueOfType<bool>()) return value.get<bool>() ? "true" : "false";
  if (const auto number = unsigned_in(value)) return std::to_string(*number);
  if (value.containsValueOfType<double>()) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, value.get<double>()).ptr;
    return {digits, end};
  }
  if (value.containsValueOfType<Dictionary>()) {
    std::string words;
    for (const auto& [name, member] : value.get<Dictionary>())
      words += (words.empty() ? "" : ", ") + name + ": " + to_words(member);
    return "{" + words + "}";
  }
  if (value.containsValueOfType<std::vector<Dictionary>>())
    return "[" + std::to_string(value.get<std::vector<Dictionary>>().size()) + " values]";
  return "(" + std::string(value.peekValueType()) + ")";
}

std::string last_part(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace dofa::client
