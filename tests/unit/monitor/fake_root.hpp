// SPDX-License-Identifier: Apache-2.0
// A directory that plays the machine's root: files of /proc and /sys as the test writes them. Gone with the
// object.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace dofa::monitor::test {

struct FakeFile {
  std::string_view path;
  std::string_view text;
};

class FakeRoot {
 public:
  FakeRoot() {
    std::string pattern = (std::filesystem::temp_directory_path() / "dofa-root-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = pattern;
    std::filesystem::permissions(path_, std::filesystem::perms(0755));
  }
  explicit FakeRoot(const std::vector<FakeFile>& files) : FakeRoot() { write(files); }
  ~FakeRoot() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(std::string_view path) const { return path_ + std::string(path); }

  /// Overwrites in place, as the kernel's files change: an open descriptor sees the new text.
  void write(std::string_view path, std::string_view text) const {
    const std::filesystem::path file = *this / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::trunc) << text;
  }
  void write(const std::vector<FakeFile>& files) const {
    for (const FakeFile& file : files) write(file.path, file.text);
  }
  /// `path` becomes a link to `target`, both inside the root.
  void link(std::string_view path, std::string_view target) const {
    const std::filesystem::path file = *this / path;
    std::filesystem::create_directories(file.parent_path());
    std::filesystem::create_symlink(*this / target, file);
  }
  void remove(std::string_view path) const { std::filesystem::remove_all(*this / path); }

 private:
  std::string path_;
};

}  // namespace dofa::monitor::test
