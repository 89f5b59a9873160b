// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/family_files.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace dofa::control {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxDescriptionBytes = 4UL << 20;

Error invalid(const std::string& file, const std::string& what) {
  return {ErrorCode::kInvalidFamily, file + ": " + what};
}

/// A file descriptor that closes itself.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

Fd open_beneath(int root, const std::string& relative, std::uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return Fd(static_cast<int>(syscall(SYS_openat2, root, relative.c_str(), &how, sizeof how)));
}

/// What is wrong with the owner or mode of an open file; empty = nothing.
std::string ownership_fault(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return std::strerror(errno);
  if (status.st_uid != 0 && status.st_uid != geteuid())
    return "belongs to another user than root or the service's";
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) return "is writable by its group or by others";
  return "";
}

/// The path of `absolute` below `root`; empty where it is not below it.
std::string below(const std::string& root, const std::string& absolute) {
  const fs::path relative =
      fs::path(absolute).lexically_normal().lexically_relative(fs::path(root).lexically_normal());
  const std::string text = relative.string();
  return text.empty() || text == "." || text.starts_with("..") ? "" : text;
}

/// Opens `relative` beneath `root` and checks every directory on the way. The error is kNotFound where it
/// does not exist.
Result<Fd> open_checked(const std::string& root, const std::string& relative, std::uint64_t flags) {
  const std::string shown = (fs::path(root) / relative).string();
  const Fd top(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (top.get() < 0) return Error{ErrorCode::kNotFound, root + ": " + std::strerror(errno)};
  if (const auto fault = ownership_fault(top.get()); !fault.empty()) return invalid(root, fault);
  fs::path prefix;
  for (const fs::path& part : fs::path(relative).parent_path()) {
    prefix /= part;
    const Fd directory = open_beneath(top.get(), prefix.string(), O_PATH | O_DIRECTORY);
    if (directory.get() < 0) break;  // opening the file itself says why
    if (const auto fault = ownership_fault(directory.get()); !fault.empty()) {
      return invalid((fs::path(root) / prefix).string(), fault);
    }
  }
  Fd file = open_beneath(top.get(), relative, flags);
  if (file.get() < 0) {
    if (errno == EXDEV) return invalid(shown, "leads outside of " + root);
    if (errno == ENOSYS)
      return invalid(shown, "openat2 is missing: it needs Linux 5.6, and RestrictSUIDSGID=no in the unit");
    return Error{errno == ENOENT || errno == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kInvalidFamily,
                 shown + ": " + std::strerror(errno)};
  }
  if (const auto fault = ownership_fault(file.get()); !fault.empty()) return invalid(shown, fault);
  return file;
}

Result<std::string> read_text(int fd, const std::string& path) {
  std::string text;
  char buffer[16384];
  while (true) {
    const ssize_t count = read(fd, buffer, sizeof buffer);
    if (count == 0) return text;
    if (count < 0) return invalid(path, std::strerror(errno));
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > kMaxDescriptionBytes) return invalid(path, "is too large for a description");
  }
}

Result<void> check_regular(const std::string& root, const std::string& relative) {
  auto file = open_checked(root, relative, O_RDONLY | O_NONBLOCK);
  if (!file) return file.error();
  struct stat status {};
  if (fstat(file->get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return invalid((fs::path(root) / relative).string(), "is not a regular file");
  }
  return {};
}

/// A file that a family names: beneath the family's own directory, or, where its name or its target is
/// absolute, beneath any root.
Result<void> check_file(const std::vector<std::string>& roots, const std::string& directory,
                        const std::string& name) {
  std::string path = (fs::path(directory) / name).lexically_normal().string();
  if (const std::string relative = below(directory, path); !relative.empty()) {
    std::error_code ignored;
    const fs::path target = fs::canonical(path, ignored);
    const fs::path home = fs::canonical(directory, ignored);
    if (target.empty() || !below(home.string(), target.string()).empty())
      return check_regular(directory, relative);
    path = target.string();  // a link to somewhere else
  } else if (!name.starts_with('/')) {
    return invalid(path, "leads outside of the family's directory");
  }
  for (const std::string& root : roots) {
    const std::string relative = below(root, path);
    if (!relative.empty()) return check_regular(root, relative);
  }
  return invalid(path, "is not beneath any of families.roots");
}

std::vector<std::string> files_of(const config::FamilyFile& family) {
  std::vector<std::string> files;
  const auto add = [&](const std::string& name) {
    if (!name.empty()) files.push_back(name);
  };
  add(family.labels);
  add(family.supernet.weights);
  for (const config::SubnetEntry& subnet : family.subnets) {
    add(subnet.file);
    add(subnet.statistics);
  }
  return files;
}

Result<CheckedFamily> check_beneath(const std::vector<std::string>& roots, const std::string& root,
                                    const std::string& relative) {
  CheckedFamily family;
  family.directory = (fs::path(root) / relative).string();
  const std::string path = family.directory + "/family.yaml";
  auto file = open_checked(root, relative + "/family.yaml", O_RDONLY | O_NONBLOCK);
  if (!file) return file.error();
  auto text = read_text(file->get(), path);
  if (!text) return text.error();
  auto description = config::parse_family(*text, path);
  if (!description) return description.error();
  family.description = std::move(*description);
  for (const std::string& name : files_of(family.description)) {
    const auto checked = check_file(roots, family.directory, name);
    if (!checked) return Error{ErrorCode::kInvalidFamily, checked.error().message};
  }
  return family;
}

}  // namespace

Result<CheckedFamily> check_family(const std::vector<std::string>& roots, const std::string& directory) {
  const bool absolute = directory.starts_with('/');
  const std::string plain = fs::path(directory).filename().string();
  if (!absolute && (plain != directory || directory.empty() || directory == "." || directory == "..")) {
    return Error{ErrorCode::kInvalidArgument,
                 "a family is named by an absolute directory or by its plain name"};
  }
  bool beneath_a_root = false;
  for (const std::string& root : roots) {
    const std::string relative = absolute ? below(root, directory) : directory;
    if (relative.empty()) continue;
    beneath_a_root = true;
    auto family = check_beneath(roots, root, relative);
    if (family || family.error().code != ErrorCode::kNotFound) return family;
  }
  if (!beneath_a_root) {
    return Error{ErrorCode::kInvalidFamily, directory + ": is not beneath any of families.roots"};
  }
  return Error{ErrorCode::kNotFound, directory + ": there is no family.yaml"};
}

std::vector<std::string> find_families(const std::vector<std::string>& roots) {
  std::vector<std::string> names;
  for (const std::string& root : roots) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(root, ignored)) {
      if (fs::exists(entry.path() / "family.yaml", ignored))
        names.push_back(entry.path().filename().string());
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace dofa::control
