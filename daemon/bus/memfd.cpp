// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus/memfd.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace dofa::bus {
namespace {

Error invalid(const std::string& what) {
  return {ErrorCode::kInvalidArgument, what};
}

}  // namespace

Result<MappedFrame> MappedFrame::map(int fd, std::uint64_t bytes) {
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0) return invalid("the frame must be a memfd");
  if ((seals & kSeals) != kSeals) {
    return invalid("the frame must be sealed with F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_WRITE");
  }
  struct stat status {};
  if (fstat(fd, &status) != 0 || static_cast<std::uint64_t>(status.st_size) < bytes) {
    return invalid("the frame holds " + std::to_string(status.st_size) + " bytes, its format needs " +
                   std::to_string(bytes));
  }
  // Reading a hole would allocate its page on our account, for as long as the application keeps the file. The
  // seals keep it from making holes later.
  constexpr std::uint64_t kBlock = 512;  // of st_blocks
  if (static_cast<std::uint64_t>(status.st_blocks) * kBlock < bytes)
    return invalid("the frame has holes: write all of its bytes, zeros too");
  // munmap of huge pages takes whole ones only, whose size is not ours to know.
  struct statfs system {};
  if (fstatfs(fd, &system) != 0 || system.f_type == HUGETLBFS_MAGIC)
    return invalid("the frame must not be in huge pages");
  // Not populated: the lane faults in what it reads, the bus thread has others to serve.
  void* data = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED)
    return Error{ErrorCode::kFailed, std::string("mapping the frame: ") + std::strerror(errno)};
  return MappedFrame(static_cast<const std::byte*>(data), bytes, static_cast<std::uint64_t>(status.st_size));
}

MappedFrame::MappedFrame(MappedFrame&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      file_size_(other.file_size_) {}

MappedFrame::~MappedFrame() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace dofa::bus
