// SPDX-License-Identifier: Apache-2.0
#include "daemon/stream/shared_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace dofa::stream {
namespace {

Error failed(const char* what) {
  return {ErrorCode::kFailed, std::string(what) + ": " + std::strerror(errno)};
}

}  // namespace

Result<SharedMemory> SharedMemory::create(std::uint64_t bytes) {
  control::UniqueFd fd(memfd_create("dofa-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd || ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) return failed("making a frame ring");
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return failed("sealing a frame ring");
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) return failed("mapping a frame ring");
  return SharedMemory(std::move(fd), static_cast<std::byte*>(data), bytes);
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : fd_(std::move(other.fd_)), data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) munmap(data_, size_);
}

void SharedMemory::release(std::uint64_t offset, std::uint64_t bytes) const {
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  const std::uint64_t first = (offset + page - 1) / page * page;
  const std::uint64_t end = (offset + bytes) / page * page;
  if (end > first) (void)madvise(data_ + first, end - first, MADV_REMOVE);
}

Result<DoorbellPair> make_doorbells() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return failed("making a doorbell");
  DoorbellPair pair{control::UniqueFd(ends[0]), control::UniqueFd(ends[1])};
  // The kernel rounds up to its minimum, a handful of bells. It only saves memory: failing to is no fault.
  const int smallest = 1;
  for (const int end : ends) (void)setsockopt(end, SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest);
  return pair;
}

}  // namespace dofa::stream
