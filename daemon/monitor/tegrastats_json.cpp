// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <istream>
#include <ostream>

#include "daemon/monitor/tegrastats.hpp"

namespace dofa::monitor {
namespace {

// Writes one JSON value. Keys and names need no escaping: the parser lets only letters, digits, '_', '-' and
// '.' into names, and digits, '-', ':' and blanks into the timestamp.
class JsonWriter {
 public:
  void key(std::string_view name) {
    separate();
    text_.append("\"").append(name).append("\":");
    fresh_ = true;
  }
  void open(char bracket) {
    separate();
    text_.push_back(bracket);
    fresh_ = true;
  }
  void close(char bracket) {
    text_.push_back(bracket);
    fresh_ = false;
  }
  void value(double number) {
    separate();
    std::array<char, 32> digits{};
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    text_.append(digits.data(), error == std::errc{} ? end : digits.data());
  }
  void value(bool truth) {
    separate();
    text_.append(truth ? "true" : "false");
  }
  void value(std::string_view words) {
    separate();
    text_.append("\"").append(words).append("\"");
  }
  void null() {
    separate();
    text_.append("null");
  }
  void field(std::string_view name, const std::optional<double>& number) {
    if (!number) return;
    key(name);
    value(*number);
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void separate() {
    if (!fresh_) text_.push_back(',');
    fresh_ = false;
  }

  std::string text_;
  bool fresh_ = true;  // nothing to separate from: start, after an opening bracket or a key
};

// `NC`, `NC#2`, …: an object's keys must differ.
template <class List>
std::string unique_name(const List& list, std::size_t index) {
  const auto same = [&](const auto& other) { return other.name == list[index].name; };
  const auto earlier = std::count_if(list.begin(), list.begin() + index, same);
  std::string name(list[index].name.view());
  if (earlier > 0) name += "#" + std::to_string(earlier + 1);
  return name;
}

// Sizes in `unit` ("mb", "kb"), of which a megabyte has `per_mb`.
void write_memory(JsonWriter& json, std::string_view name, const std::optional<TegrastatsMemory>& memory,
                  const std::string& unit = "mb", double per_mb = 1) {
  if (!memory) return;
  const auto size = [&](const std::string& what, const std::optional<double>& megabytes) {
    if (megabytes) json.field(what + "_" + unit, *megabytes * per_mb);
  };
  json.key(name);
  json.open('{');
  size("used", memory->used_mb);
  size("total", memory->total_mb);
  json.field("largest_free_blocks", memory->largest_free_blocks);
  size("largest_free_block", memory->largest_free_block_mb);
  size("cached", memory->cached_mb);
  json.close('}');
}

void write_engine(JsonWriter& json, std::string_view name, const TegrastatsEngine& engine) {
  json.key(name);
  json.open('{');
  json.key("on");
  json.value(engine.on);
  json.field("load_percent", engine.load_percent);
  json.field("frequency_mhz", engine.frequency_mhz());
  if (engine.frequencies_mhz.size() > 1) {
    json.key("frequencies_mhz");
    json.open('[');
    for (const double mhz : engine.frequencies_mhz) json.value(mhz);
    json.close(']');
  }
  json.close('}');
}

void write_cores(JsonWriter& json, const TegrastatsLine& line) {
  if (line.cores.empty()) return;
  json.key("cpu");
  json.open('[');
  for (const TegrastatsCore& core : line.cores) {
    json.open('{');
    json.key("online");
    json.value(core.online);
    json.field("load_percent", core.load_percent);
    json.field("frequency_mhz", core.frequency_mhz);
    json.close('}');
  }
  json.close(']');
}

void write_temperatures(JsonWriter& json, const TegrastatsLine& line) {
  const auto& list = line.temperatures;
  if (list.empty()) return;
  json.key("temperatures_c");
  json.open('{');
  for (std::size_t i = 0; i < list.size(); ++i) {
    json.key(unique_name(list, i));
    list[i].celsius ? json.value(*list[i].celsius) : json.null();
  }
  json.close('}');
  if (std::none_of(list.begin(), list.end(), [](const auto& t) { return t.maximum_c.has_value(); })) return;
  json.key("temperature_maxima_c");
  json.open('{');
  for (std::size_t i = 0; i < list.size(); ++i) json.field(unique_name(list, i), list[i].maximum_c);
  json.close('}');
}

void write_rails(JsonWriter& json, const TegrastatsLine& line) {
  if (line.rails.empty()) return;
  json.key("rails");
  json.open('{');
  for (std::size_t i = 0; i < line.rails.size(); ++i) {
    const TegrastatsRail& rail = line.rails[i];
    json.key(unique_name(line.rails, i));
    json.open('{');
    json.field("now_mw", rail.now_mw);
    json.field("average_mw", rail.average_mw);
    json.field("peak_mw", rail.peak_mw);
    json.close('}');
  }
  json.close('}');
}

}  // namespace

std::string tegrastats_json(const TegrastatsLine& line) {
  JsonWriter json;
  json.open('{');
  if (!line.timestamp.empty()) {
    json.key("timestamp");
    json.value(line.timestamp.view());
  }
  write_memory(json, "ram", line.ram);
  write_memory(json, "swap", line.swap);
  write_memory(json, "iram", line.iram, "kb", 1024);
  write_cores(json, line);
  if (line.emc) write_engine(json, "emc", *line.emc);
  if (line.gpu) write_engine(json, "gpu", *line.gpu);
  if (!line.engines.empty()) {
    json.key("engines");
    json.open('{');
    for (const TegrastatsEngine& engine : line.engines) write_engine(json, engine.name.view(), engine);
    json.close('}');
  }
  if (line.mts_foreground_percent || line.mts_background_percent) {
    json.key("mts");
    json.open('{');
    json.field("foreground_percent", line.mts_foreground_percent);
    json.field("background_percent", line.mts_background_percent);
    json.close('}');
  }
  write_temperatures(json, line);
  write_rails(json, line);
  json.close('}');
  return json.take();
}

void print_tegrastats_json(std::istream& log, std::ostream& out) {
  for (std::string line; std::getline(log, line);) out << tegrastats_json(parse_tegrastats(line)) << '\n';
}

}  // namespace dofa::monitor
