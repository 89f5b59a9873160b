// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/profile.hpp"

#include <fstream>
#include <sstream>

#include "daemon/config/yaml_reader.hpp"

namespace dofa::config {
namespace {

constexpr double kLongestUs = 1e9;
constexpr std::uint32_t kLargestBatch = 1024;

ProfilePoint read_point(const YAML::Node& node, const std::string& path) {
  YamlMap map(node, path, "points");
  ProfilePoint point;
  point.subnet = map.text(map.take("subnet"), "subnet");
  point.processor = map.text(map.take("processor"), "processor");
  point.latency_us = map.number(map.take("latency_us"), "latency_us", 0, kLongestUs);
  map.read("batch", point.batch, 1, kLargestBatch);
  map.finish();
  return point;
}

}  // namespace

Result<ProfileFile> parse_profile(const std::string& text, const std::string& path) {
  try {
    YamlMap top(parse_yaml(text, path), path, "");
    top.integer(top.take("schema"), "schema", 1, 1);
    ProfileFile profile;
    profile.family = top.text(top.take("family"), "family");
    profile.fingerprint = top.text(top.take("fingerprint"), "fingerprint");
    for (const YAML::Node& item : top.items(top.take("points"), "points"))
      profile.points.push_back(read_point(item, path));
    top.finish();
    return profile;
  } catch (const std::exception& fault) {
    return Error{ErrorCode::kInvalidArgument, fault.what()};
  }
}

Result<ProfileFile> read_profile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorCode::kNotFound, path + ": cannot be read"};
  std::ostringstream text;
  text << file.rdbuf();
  return parse_profile(text.str(), path);
}

std::string write_profile(const ProfileFile& profile) {
  YAML::Emitter out;
  out << YAML::BeginMap << YAML::Key << "schema" << YAML::Value << 1;
  out << YAML::Key << "family" << YAML::Value << profile.family;
  out << YAML::Key << "fingerprint" << YAML::Value << profile.fingerprint;
  out << YAML::Key << "points" << YAML::Value << YAML::BeginSeq;
  for (const ProfilePoint& point : profile.points) {
    out << YAML::Flow << YAML::BeginMap << YAML::Key << "subnet" << YAML::Value << point.subnet << YAML::Key
        << "processor" << YAML::Value << point.processor << YAML::Key << "latency_us" << YAML::Value
        << point.latency_us;
    if (point.batch != 1) out << YAML::Key << "batch" << YAML::Value << point.batch;
    out << YAML::EndMap;
  }
  out << YAML::EndSeq << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

}  // namespace dofa::config
