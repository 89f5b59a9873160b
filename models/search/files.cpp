// SPDX-License-Identifier: Apache-2.0
#include "models/search/files.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

namespace dofa::search {
namespace {

/// 0, or errno.
int write_all(const std::string& path, std::string_view bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wbe");
  if (file == nullptr) return errno;
  int failed = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size() ? 0 : errno;
  if (std::fclose(file) != 0 && failed == 0) failed = errno;
  return failed;
}

Error unwritable(const std::string& path, const std::error_code& why) {
  return {ErrorCode::kFailed, path + ": cannot be written: " + why.message()};
}

}  // namespace

Result<void> write_file(const std::string& path, std::string_view bytes) {
  const int failed = write_all(path, bytes);
  if (failed != 0) return unwritable(path, {failed, std::generic_category()});
  return {};
}

Result<void> replace_file(const std::string& path, std::string_view bytes) {
  const std::string fresh = path + ".new";
  std::error_code error(write_all(fresh, bytes), std::generic_category());
  if (!error) std::filesystem::rename(fresh, path, error);
  if (!error) return {};
  std::error_code ignored;
  std::filesystem::remove(fresh, ignored);
  return unwritable(path, error);
}

}  // namespace dofa::search
