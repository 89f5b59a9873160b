// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/signals.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace dofa::host {

Signals::Signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal_fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  event_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (signal_fd_ < 0 || event_fd_ < 0) throw std::system_error(errno, std::generic_category(), "waiting for signals");
}

Signals::~Signals() {
  close(signal_fd_);
  close(event_fd_);
}

Signal Signals::wait(int timeout_ms) {
  pollfd items[2] = {{signal_fd_, POLLIN, 0}, {event_fd_, POLLIN, 0}};
  if (poll(items, 2, timeout_ms) <= 0) return Signal::kNone;
  if (items[1].revents != 0) return Signal::kStop;
  signalfd_siginfo info{};
  if (read(signal_fd_, &info, sizeof info) != sizeof info) return Signal::kNone;
  return info.ssi_signo == SIGHUP ? Signal::kReload : Signal::kStop;
}

void Signals::request_stop() {
  requested_ = true;
  const std::uint64_t one = 1;
  (void)!write(event_fd_, &one, sizeof one);
}

}  // namespace dofa::host
