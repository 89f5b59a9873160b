// SPDX-License-Identifier: Apache-2.0
// Reads Prometheus' text format (0.0.4) as strictly as the tests want it: every sample belongs to a metric
// whose HELP and TYPE came before it, and no sample comes twice.
#pragma once

#include <cctype>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>

namespace dofa::test {

struct Exposition {
  std::map<std::string, std::string> types;  ///< metric → "gauge" or "counter"
  std::map<std::string, double> samples;     ///< "name" or "name{label="value",…}" as written → value

  [[nodiscard]] double at(const std::string& sample) const {
    const auto found = samples.find(sample);
    if (found == samples.end()) throw std::runtime_error("no sample " + sample);
    return found->second;
  }
};

inline Exposition parse_exposition(const std::string& text) {
  Exposition result;
  std::set<std::string> helped;
  std::istringstream lines(text);
  if (text.empty() || text.back() != '\n') throw std::runtime_error("the last line does not end");
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    if (line.starts_with("# ")) {
      std::string hash, kind, name, rest;
      words >> hash >> kind >> name;
      std::getline(words, rest);
      if (kind == "HELP") helped.insert(name);
      if (kind == "TYPE" && !result.types.emplace(name, rest.substr(1)).second)
        throw std::runtime_error("twice: " + line);
      continue;
    }
    std::size_t end = 0;  // of name and labels; a quoted value may hold anything
    bool quoted = false;
    for (; end < line.size() && (quoted || line[end] != ' '); ++end) {
      if (quoted && line[end] == '\\')
        ++end;
      else if (line[end] == '"')
        quoted = !quoted;
    }
    const std::string sample = line.substr(0, end);
    const std::string name = sample.substr(0, sample.find('{'));
    for (const char c : name) {
      if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_')
        throw std::runtime_error("odd name: " + line);
    }
    if (!result.types.contains(name) || !helped.contains(name))
      throw std::runtime_error("HELP or TYPE is missing: " + line);
    std::size_t used = 0;
    const double value = std::stod(line.substr(end + 1), &used);
    if (end + 1 + used != line.size()) throw std::runtime_error("more than a number: " + line);
    if (!result.samples.emplace(sample, value).second) throw std::runtime_error("twice: " + line);
  }
  return result;
}

}  // namespace dofa::test
