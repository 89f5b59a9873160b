// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>
#include <sstream>

#include "daemon/config/yaml_reader.hpp"
#include "models/search/files.hpp"
#include "models/tool/evaluated.hpp"

namespace dofa::tool {
namespace {

using config::YamlMap;

template <class Values>
void read_list(YamlMap& map, const char* key, Values& out, std::uint64_t low, std::uint64_t high) {
  const YAML::Node node = map.take(key);
  const std::vector<YAML::Node> items = map.items(node, key);
  if (items.size() != out.size()) map.fail(node, key, "has " + std::to_string(items.size()) + " values");
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::uint8_t>(map.integer(items[i], key, low, high));
}

Evaluated read_entry(const YAML::Node& node, const std::string& path) {
  YamlMap map(node, path, "subnets");
  Evaluated entry;
  entry.candidate.resolution = static_cast<std::uint32_t>(map.integer(map.take("r"), "r", 16, 1024));
  read_list(map, "ks", entry.candidate.architecture.kernel_sizes, 3, 7);
  read_list(map, "e", entry.candidate.architecture.expand_ratios, 3, 6);
  read_list(map, "d", entry.candidate.architecture.depths, 1, engine::kBlocksPerStage);
  entry.accuracy.top1 = map.number(map.take("top1"), "top1", 0, 1);
  map.read("top5", entry.accuracy.top5, 0, 1);
  map.read("dataset", entry.accuracy.dataset);
  map.read("images", entry.accuracy.images, 0, 1'000'000'000);
  map.read("calibrated_with", entry.calibrated_with, 0, 1'000'000'000);
  map.finish();
  return entry;
}

template <class Values>
void put_list(YAML::Emitter& out, const char* key, const Values& values) {
  out << YAML::Key << key << YAML::Value << YAML::Flow << YAML::BeginSeq;
  for (const auto value : values) out << static_cast<int>(value);
  out << YAML::EndSeq;
}

}  // namespace

Result<std::vector<Evaluated>> read_evaluated(const std::string& path) {
  std::vector<Evaluated> log;
  std::ifstream file(path, std::ios::binary);
  if (!file) return log;
  std::ostringstream text;
  text << file.rdbuf();
  try {
    YamlMap top(config::parse_yaml(text.str(), path), path, "");
    top.integer(top.take("schema"), "schema", 1, 1);
    for (const YAML::Node& item : top.items(top.take("subnets"), "subnets"))
      log.push_back(read_entry(item, path));
    top.finish();
  } catch (const std::exception& fault) {
    return Error{ErrorCode::kInvalidArgument, fault.what()};
  }
  return log;
}

Result<void> write_evaluated(std::span<const Evaluated> log, const std::string& path) {
  YAML::Emitter out;
  out << YAML::BeginMap << YAML::Key << "schema" << YAML::Value << 1;
  out << YAML::Key << "subnets" << YAML::Value << YAML::BeginSeq;
  for (const Evaluated& entry : log) {
    out << YAML::Flow << YAML::BeginMap << YAML::Key << "r" << YAML::Value << entry.candidate.resolution;
    put_list(out, "ks", entry.candidate.architecture.kernel_sizes);
    put_list(out, "e", entry.candidate.architecture.expand_ratios);
    put_list(out, "d", entry.candidate.architecture.depths);
    out << YAML::Key << "top1" << YAML::Value << entry.accuracy.top1;
    out << YAML::Key << "top5" << YAML::Value << entry.accuracy.top5;
    out << YAML::Key << "dataset" << YAML::Value << entry.accuracy.dataset;
    out << YAML::Key << "images" << YAML::Value << entry.accuracy.images;
    out << YAML::Key << "calibrated_with" << YAML::Value << entry.calibrated_with << YAML::EndMap;
  }
  out << YAML::EndSeq << YAML::EndMap;
  return search::replace_file(path, std::string(out.c_str()) + "\n");
}

}  // namespace dofa::tool
