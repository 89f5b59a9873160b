// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/signals.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>
#include <system_error>

namespace dofa::host {
namespace {

constexpr unsigned char kNudge = 0;  // no signal has this number
constexpr std::initializer_list<int> kSignals{SIGTERM, SIGINT, SIGHUP};

std::atomic<int> pipe_of_handlers = -1;  // a handler has no other way to reach its object

/// Only what is safe in a handler: one write of the signal's number.
void tell(int signal) {
  const int saved_errno = errno;
  const auto number = static_cast<unsigned char>(signal);
  (void)!write(pipe_of_handlers.load(), &number, 1);
  errno = saved_errno;
}

void install(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(number, &action, nullptr);
}

}  // namespace

Signals::Signals() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
    throw std::system_error(errno, std::generic_category(), "waiting for signals");
  }
  read_fd_ = fds[0];
  write_fd_ = fds[1];
  pipe_of_handlers = write_fd_;
  for (const int number : kSignals) install(number, tell);
  install(SIGPIPE, SIG_IGN);
}

Signals::~Signals() {
  for (const int number : kSignals) install(number, SIG_DFL);
  pipe_of_handlers = -1;
  close(read_fd_);
  close(write_fd_);
}

Signal Signals::wait(int timeout_ms) {
  pollfd item{read_fd_, POLLIN, 0};
  unsigned char number = 0;
  if (poll(&item, 1, timeout_ms) <= 0 || read(read_fd_, &number, 1) != 1) return Signal::kNone;
  if (number == kNudge) return Signal::kNone;
  return number == SIGHUP ? Signal::kReload : Signal::kStop;
}

void Signals::nudge() {
  (void)!write(write_fd_, &kNudge, 1);  // where the pipe is full the loop has reasons enough
}

void Signals::request_stop() {
  requested_ = true;
  const auto number = static_cast<unsigned char>(SIGTERM);
  (void)!write(write_fd_, &number, 1);
}

}  // namespace dofa::host
