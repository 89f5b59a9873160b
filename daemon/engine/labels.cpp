// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/labels.hpp"

#include <filesystem>
#include <fstream>

namespace dofa::engine {

Result<std::vector<std::string>> read_labels(const std::string& directory,
                                             const config::FamilyFile& description) {
  std::vector<std::string> labels;
  if (description.labels.empty()) return labels;
  const std::string path = (std::filesystem::path(directory) / description.labels).string();
  std::ifstream file(path);
  if (!file) return Error{ErrorCode::kInvalidFamily, path + ": cannot be read"};
  for (std::string line; std::getline(file, line) && labels.size() <= description.classes;) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    labels.push_back(std::move(line));
  }
  if (labels.size() != description.classes) {
    return Error{ErrorCode::kInvalidFamily,
                 path + ": holds " + (labels.size() > description.classes ? "more than " : "only ") +
                     std::to_string(std::min<std::size_t>(labels.size(), description.classes)) +
                     " names for " + std::to_string(description.classes) + " classes"};
  }
  return labels;
}

}  // namespace dofa::engine
