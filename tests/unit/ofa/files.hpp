// SPDX-License-Identifier: Apache-2.0
// Where the tests find the shared reference data, and a folder of their own to write to.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace dofa::engine::test {

/// A file or folder of the data beside the checkout ($DOFA_SHARED or ../shared); empty, with a printed line,
/// where absent.
inline std::string shared_path(const std::string& name) {
  const char* configured = std::getenv("DOFA_SHARED");
  const std::filesystem::path root = configured != nullptr ? configured : DOFA_SOURCE_DIR "/../shared";
  if (std::filesystem::exists(root / name)) return (root / name).string();
  std::printf("skipped: %s is not there\n", (root / name).c_str());
  return {};
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "dofa-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace dofa::engine::test
