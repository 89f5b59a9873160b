// SPDX-License-Identifier: Apache-2.0
#include "client/lib/frame.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace dofa::client {

int sealed_copy(const Frame& frame) {
  const int fd = ::memfd_create("dofa-frame", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  const auto fail = [fd](const char* what) {
    const std::string reason = std::generic_category().message(errno);
    if (fd >= 0) ::close(fd);
    return Error(ErrorCode::kFailed, std::string(what) + ": " + reason);
  };
  if (fd < 0) throw fail("cannot make a memfd for the frame");
  auto rest = frame.pixels;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw fail("cannot copy the frame");
    rest = rest.subspan(static_cast<std::size_t>(written));
  }
  if (::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
    throw fail("cannot seal the frame");
  return fd;
}

}  // namespace dofa::client
