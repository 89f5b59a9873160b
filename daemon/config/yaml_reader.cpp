// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/yaml_reader.hpp"

#include <charconv>

namespace dofa::config {
namespace {

std::string place(const std::string& path, const YAML::Mark& mark) {
  if (mark.is_null()) return path + ": ";
  return path + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1) + ": ";
}

std::string shown(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

}  // namespace

ConfigFault::ConfigFault(const std::string& path, const YAML::Mark& mark, const std::string& what)
    : std::runtime_error(place(path, mark) + what) {}

YAML::Node parse_yaml(const std::string& text, const std::string& path) {
  try {
    auto documents = YAML::LoadAll(text);
    if (documents.size() > 1)
      throw ConfigFault(path, documents[1].Mark(), "one document expected, found more");
    return documents.empty() ? YAML::Node() : documents.front();
  } catch (const YAML::Exception& fault) {
    throw ConfigFault(path, fault.mark, "not valid YAML: " + fault.msg);
  }
}

YamlMap::YamlMap(const YAML::Node& node, std::string path, std::string where, std::set<std::string>* asked)
    : node_(node), path_(std::move(path)), where_(std::move(where)), asked_(asked) {
  if (!node_ || node_.IsNull()) return;
  const std::string name = where_.empty() ? "the document" : "'" + where_ + "'";
  if (!node_.IsMap()) throw ConfigFault(path_, node_.Mark(), name + " must be a map of keys to values");
  std::set<std::string> seen;
  for (const auto& entry : node_) {
    if (!entry.first.IsScalar())
      throw ConfigFault(path_, entry.first.Mark(), "a key of " + name + " is not a plain word");
    if (!seen.insert(entry.first.Scalar()).second) fail(entry.first, entry.first.Scalar(), "is given twice");
  }
}

std::string YamlMap::dotted(const std::string& key) const {
  return where_.empty() ? key : where_ + "." + key;
}

void YamlMap::fail(const YAML::Node& node, const std::string& key, const std::string& what) const {
  throw ConfigFault(path_, node.Mark(), "'" + dotted(key) + "' " + what);
}

bool YamlMap::has(const std::string& key) {
  if (asked_ != nullptr) asked_->insert(dotted(key));
  if (!node_ || !node_.IsMap()) return false;
  const YAML::Node& map = node_;  // const lookup: the other one would insert
  return static_cast<bool>(map[key]);
}

YAML::Node YamlMap::take(const std::string& key) {
  if (!has(key)) fail(node_, key, "is missing");
  taken_.insert(key);
  const YAML::Node& map = node_;
  return map[key];
}

YamlMap YamlMap::map(const std::string& key) {
  return YamlMap(has(key) ? take(key) : YAML::Node(), path_, dotted(key), asked_);
}

std::string YamlMap::text(const YAML::Node& node, const std::string& key) const {
  if (!node.IsScalar()) fail(node, key, "must be text");
  return node.Scalar();
}

template <class T>
T YamlMap::whole(const YAML::Node& node, const std::string& key, T low, T high) const {
  const std::string range =
      "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high);
  if (!node.IsScalar()) fail(node, key, range);
  const std::string& word = node.Scalar();
  T value = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != word.data() + word.size() || value < low || value > high) {
    fail(node, key, range + ", not '" + word + "'");
  }
  return value;
}

std::uint64_t YamlMap::integer(const YAML::Node& node, const std::string& key, std::uint64_t low,
                               std::uint64_t high) const {
  return whole(node, key, low, high);
}

void YamlMap::read(const std::string& key, std::int32_t& out, std::int64_t low, std::int64_t high) {
  if (has(key)) out = static_cast<std::int32_t>(whole(take(key), key, low, high));
}

double YamlMap::number(const YAML::Node& node, const std::string& key, double low, double high) const {
  const std::string range = "must be a number from " + shown(low) + " to " + shown(high);
  if (!node.IsScalar()) fail(node, key, range);
  const std::string& word = node.Scalar();
  double value = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != word.data() + word.size() || !std::isfinite(value) ||
      value < low || value > high) {
    fail(node, key, range + ", not '" + word + "'");
  }
  return value;
}

std::vector<YAML::Node> YamlMap::items(const YAML::Node& node, const std::string& key) const {
  if (!node.IsSequence()) fail(node, key, "must be a list");
  return {node.begin(), node.end()};
}

void YamlMap::read(const std::string& key, std::string& out) {
  if (has(key)) out = text(take(key), key);
}

void YamlMap::read(const std::string& key, bool& out) {
  if (!has(key)) return;
  const YAML::Node node = take(key);
  const std::string word = node.IsScalar() ? node.Scalar() : "";
  if (word != "true" && word != "false") fail(node, key, "must be true or false");
  out = word == "true";
}

void YamlMap::read(const std::string& key, std::vector<std::string>& out) {
  if (!has(key)) return;
  out.clear();
  for (const YAML::Node& item : items(take(key), key)) out.push_back(text(item, key));
}

void YamlMap::read(const std::string& key, double& out, double low, double high) {
  if (has(key)) out = number(take(key), key, low, high);
}

void YamlMap::read(const std::string& key, float& out, double low, double high) {
  if (has(key)) out = static_cast<float>(number(take(key), key, low, high));
}

void YamlMap::finish() const {
  if (!node_ || !node_.IsMap()) return;
  for (const auto& entry : node_) {
    if (!taken_.contains(entry.first.Scalar())) fail(entry.first, entry.first.Scalar(), "is not a known key");
  }
}

}  // namespace dofa::config
