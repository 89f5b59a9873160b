// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/ending.hpp"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace dofa::ctl {

Ending::Ending() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal_fd_ = ::signalfd(-1, &signals, SFD_CLOEXEC);
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC);
}

Ending::~Ending() {
  ::close(signal_fd_);
  ::close(wake_fd_);
}

void Ending::wake() const {
  ::eventfd_write(wake_fd_, 1);
}

bool Ending::wait(int timeout_ms) const {
  std::array<pollfd, 3> fds{
      {{signal_fd_, POLLIN, 0}, {wake_fd_, POLLIN, 0}, {STDOUT_FILENO, 0, 0}}};  // stdout: errors alone
  int ready = 0;
  do {
    ready = ::poll(fds.data(), fds.size(), timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

}  // namespace dofa::ctl
