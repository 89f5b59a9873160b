// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/sysfile.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "daemon/monitor/text.hpp"

namespace dofa::monitor {

void Fd::reset(int number) {
  if (number_ >= 0) ::close(number_);
  number_ = number;
}

std::optional<std::string_view> SysFile::read(std::span<char> buffer) {
  // A deleted file keeps its text for those who hold it open: yesterday's number. The kernel's own files
  // never look deleted; those of a device that went fail with ENODEV instead.
  struct stat info {};
  if (fd_ && (::fstat(fd_.get(), &info) != 0 || info.st_nlink == 0)) fd_.reset();
  // O_NONBLOCK: a FIFO in the place of a file must not stop the sampler.
  if (!fd_) fd_.reset(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd_) return std::nullopt;
  ssize_t length = -1;
  do {
    length = ::pread(fd_.get(), buffer.data(), buffer.size(), 0);
  } while (length < 0 && errno == EINTR);
  if (length < 0) {
    fd_.reset();
    return std::nullopt;
  }
  return std::string_view(buffer.data(), static_cast<std::size_t>(length));
}

std::optional<std::int64_t> SysFile::read_integer() {
  std::array<char, 64> buffer{};
  const auto text = read(buffer);
  return text && text->size() < buffer.size() ? parse_integer(*text) : std::nullopt;
}

std::optional<std::string> read_text(const std::string& path) {
  std::array<char, 4096> buffer{};
  const auto text = SysFile(path).read(buffer);
  return text ? std::optional(std::string(trimmed(*text))) : std::nullopt;
}

std::optional<std::int64_t> read_integer(const std::string& path) {
  return SysFile(path).read_integer();
}

std::vector<std::string> list_directory(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace dofa::monitor
