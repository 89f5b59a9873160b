// SPDX-License-Identifier: Apache-2.0
// Files of /proc and /sys, read again and again. A descriptor stays open between reads, which makes a sample
// one pread(2); a file that cannot be read is simply absent and tried again next time. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dofa::monitor {

/// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.number_, -1));
    return *this;
  }
  ~Fd() { reset(); }

  [[nodiscard]] int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }
  void reset(int number = -1);

 private:
  int number_ = -1;
};

/// Room for one file's text. /proc/stat of a large server is the longest read here.
using TextBuffer = std::array<char, 64 * 1024>;

class SysFile {
 public:
  explicit SysFile(std::string path) : path_(std::move(path)) {}

  /// The file's text, at most the buffer's size and valid as long as the buffer; nullopt where the file is
  /// missing, forbidden, gone since, no file at all, or fails to be read.
  std::optional<std::string_view> read(std::span<char> buffer);
  /// Gives the descriptor back until the next read.
  void close() { fd_.reset(); }
  /// The file's one number (short files only).
  std::optional<std::int64_t> read_integer();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  Fd fd_;
};

/// One-off reads, for names and limits that don't change.
[[nodiscard]] std::optional<std::string> read_text(const std::string& path);
[[nodiscard]] std::optional<std::int64_t> read_integer(const std::string& path);
/// Entries of a directory in name order, without "." and ".."; empty where it cannot be read.
[[nodiscard]] std::vector<std::string> list_directory(const std::string& path);

}  // namespace dofa::monitor
