// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "daemon/config/yaml_reader.hpp"
#include "models/search/files.hpp"
#include "models/search/latency_table.hpp"

namespace dofa::search {
namespace {
namespace fs = std::filesystem;
using config::YamlMap;

constexpr double kLongestUs = 1e9;
constexpr std::uint64_t kMostMeasurements = 1'000'000'000;
constexpr std::uintmax_t kLargestFile = 64U << 20;  // a thousand times what a table takes
constexpr std::uint32_t kLeastSide = 16, kLargestSide = 1024;

Error invalid(const std::string& message) {
  return {ErrorCode::kInvalidArgument, message};
}

Correction read_correction(YamlMap map) {
  Correction correction;
  map.read("scale", correction.scale, 0, 1000);
  map.read("offset_us", correction.offset_us, -kLongestUs, kLongestUs);
  map.read("block_us", correction.block_us, -kLongestUs, kLongestUs);
  map.read("fit_error", correction.fit_error, 0, 1000);
  map.read("unseen_error", correction.unseen_error, 0, 1000);
  map.read("networks", correction.networks, 0, 1'000'000);
  map.finish();
  return correction;
}

void read_layer(const YAML::Node& node, const std::string& path, LatencyTable& table) {
  YamlMap map(node, path, "layers");
  std::uint32_t resolution = 0;
  LayerTime time;
  map.read("resolution", resolution, kLeastSide, kLargestSide);
  const YAML::Node name = map.take("layer");
  time.mean_us = map.number(map.take("mean_us"), "mean_us", 0, kLongestUs);
  map.read("std_us", time.std_us, 0, kLongestUs);
  map.read("count", time.count, 0, kMostMeasurements);
  map.finish();
  if (resolution == 0) map.fail(node, "resolution", "is missing");
  if (!table.layers[resolution].emplace(map.text(name, "layer"), time).second)
    map.fail(name, "layer", "is given twice for this resolution");
}

Result<std::string> read_text(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) return Error{ErrorCode::kNotFound, path + ": cannot be read"};
  if (size > kLargestFile) return invalid(path + ": is too large for a latency table");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The resolution in "224.json"; 0 for other names.
std::uint32_t resolution_of(const fs::path& file) {
  const std::string stem = file.stem().string();
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), value);
  const bool whole = error == std::errc() && end == stem.data() + stem.size();
  return file.extension() == ".json" && whole && value >= kLeastSide && value <= kLargestSide ? value : 0;
}

Result<LatencyTable> read_published(const std::string& folder) {
  LatencyTable table;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::uint32_t resolution = resolution_of(entry.path());
    if (resolution == 0) continue;
    const Result<std::string> text = read_text(entry.path().string());
    if (!text) return text.error();
    auto layers = parse_published_table(*text, entry.path().string());
    if (!layers) return layers.error();
    table.layers.emplace(resolution, std::move(*layers));
  }
  if (table.layers.empty())
    return Error{ErrorCode::kNotFound, folder + ": holds no <resolution>.json of a latency table"};
  return table;
}

}  // namespace

Result<LatencyTable> parse_latency_table(const std::string& text, const std::string& path) {
  try {
    YamlMap top(config::parse_yaml(text, path), path, "");
    top.integer(top.take("schema"), "schema", 1, 1);
    LatencyTable table;
    top.read("machine", table.machine);
    top.read("processor", table.processor);
    top.read("threads", table.threads, 1, 1024);
    if (top.has("correction")) table.correction = read_correction(top.map("correction"));
    for (const YAML::Node& item : top.items(top.take("layers"), "layers")) read_layer(item, path, table);
    top.finish();
    return table;
  } catch (const std::exception& fault) {  // ConfigFault, or yaml-cpp's
    return invalid(fault.what());
  }
}

std::string write_latency_table(const LatencyTable& table) {
  YAML::Emitter out;
  out << YAML::BeginMap << YAML::Key << "schema" << YAML::Value << 1;
  out << YAML::Key << "machine" << YAML::Value << table.machine;
  out << YAML::Key << "processor" << YAML::Value << table.processor;
  out << YAML::Key << "threads" << YAML::Value << table.threads;
  if (table.correction) {
    const Correction& fitted = *table.correction;
    out << YAML::Key << "correction" << YAML::Value << YAML::BeginMap;
    out << YAML::Key << "scale" << YAML::Value << fitted.scale;
    out << YAML::Key << "offset_us" << YAML::Value << fitted.offset_us;
    out << YAML::Key << "block_us" << YAML::Value << fitted.block_us;
    out << YAML::Key << "fit_error" << YAML::Value << fitted.fit_error;
    out << YAML::Key << "unseen_error" << YAML::Value << fitted.unseen_error;
    out << YAML::Key << "networks" << YAML::Value << fitted.networks << YAML::EndMap;
  }
  out << YAML::Key << "layers" << YAML::Value << YAML::BeginSeq;
  for (const auto& [resolution, entries] : table.layers) {
    for (const auto& [layer, time] : entries) {
      out << YAML::Flow << YAML::BeginMap << YAML::Key << "resolution" << YAML::Value << resolution;
      out << YAML::Key << "layer" << YAML::Value << layer;
      out << YAML::Key << "mean_us" << YAML::Value << time.mean_us;
      out << YAML::Key << "std_us" << YAML::Value << time.std_us;
      out << YAML::Key << "count" << YAML::Value << time.count << YAML::EndMap;
    }
  }
  out << YAML::EndSeq << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

Result<std::map<std::string, LayerTime>> parse_published_table(const std::string& text,
                                                               const std::string& path) {
  try {
    const YAML::Node top = config::parse_yaml(text, path);
    YamlMap map(top, path, "");
    std::map<std::string, LayerTime> layers;
    for (const auto& item : top) {
      const auto name = item.first.as<std::string>();
      YamlMap entry(item.second, path, name);
      LayerTime time;
      time.mean_us = 1000 * entry.number(entry.take("mean"), "mean", 0, kLongestUs / 1000);
      if (entry.has("std")) time.std_us = 1000 * entry.number(entry.take("std"), "std", 0, kLongestUs / 1000);
      entry.read("count", time.count, 0, kMostMeasurements);
      layers.emplace(name, time);
    }
    if (layers.empty()) return invalid(path + ": holds no layers");
    return layers;
  } catch (const std::exception& fault) {
    return invalid(fault.what());
  }
}

Result<LatencyTable> read_latency_table(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return read_published(path);
  const Result<std::string> text = read_text(path);
  if (!text) return text.error();
  return parse_latency_table(*text, path);
}

Result<void> save_latency_table(const LatencyTable& table, const std::string& path) {
  return replace_file(path, write_latency_table(table));
}

}  // namespace dofa::search
