// SPDX-License-Identifier: Apache-2.0
// Strict reading of YAML maps: a key is consumed by the call that reads it, and whatever remains is an error.
// yaml-cpp 0.7 keeps duplicate keys silently and takes ".inf" for a number, so strictness is ours. Internal
// to the config room: faults leave as ConfigFault, which the public functions turn into an Error. Not
// thread-safe.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cmath>
#include <concepts>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace dofa::config {

/// "path:line:column: what is wrong"; lines and columns count from 1.
class ConfigFault : public std::runtime_error {
 public:
  ConfigFault(const std::string& path, const YAML::Mark& mark, const std::string& what);
};

/// Parses the text as one YAML document; an empty one gives a null node.
YAML::Node parse_yaml(const std::string& text, const std::string& path);

/// One map of the document. `where` is its dotted key, for messages ("limits.sessions").
class YamlMap {
 public:
  /// A null node counts as an empty map. Refuses other nodes, non-scalar keys and duplicates. `asked`, where
  /// given, collects the dotted name of every key that is looked for.
  YamlMap(const YAML::Node& node, std::string path, std::string where,
          std::set<std::string>* asked = nullptr);

  [[nodiscard]] bool has(const std::string& key);
  /// The node of `key`, consumed; a fault where it is missing.
  YAML::Node take(const std::string& key);
  /// The map beneath `key`, empty where it is absent.
  YamlMap map(const std::string& key);

  /// Each reads `key` into `out` where the key is present and leaves `out` alone where it is not.
  void read(const std::string& key, std::string& out);
  void read(const std::string& key, bool& out);
  void read(const std::string& key, std::vector<std::string>& out);
  void read(const std::string& key, double& out, double low, double high);
  void read(const std::string& key, float& out, double low, double high);
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) void read(const std::string& key, T& out, std::uint64_t low,
                                             std::uint64_t high) {
    if (has(key)) out = static_cast<T>(integer(take(key), key, low, high));
  }

  void read(const std::string& key, std::int32_t& out, std::int64_t low, std::int64_t high);

  /// A whole number in [low, high] out of any scalar node.
  std::uint64_t integer(const YAML::Node& node, const std::string& key, std::uint64_t low,
                        std::uint64_t high) const;
  double number(const YAML::Node& node, const std::string& key, double low, double high) const;
  std::string text(const YAML::Node& node, const std::string& key) const;
  /// Items of a sequence; a fault for any other node.
  std::vector<YAML::Node> items(const YAML::Node& node, const std::string& key) const;

  /// Refuses the first key nobody read. Call it last.
  void finish() const;
  [[noreturn]] void fail(const YAML::Node& node, const std::string& key, const std::string& what) const;
  [[nodiscard]] std::string dotted(const std::string& key) const;

 private:
  template <class T>
  T whole(const YAML::Node& node, const std::string& key, T low, T high) const;

  YAML::Node node_;
  std::string path_;
  std::string where_;
  std::set<std::string> taken_;
  std::set<std::string>* asked_;
};

}  // namespace dofa::config
