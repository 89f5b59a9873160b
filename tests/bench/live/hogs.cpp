// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/live/hogs.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>

namespace dofa::bench {

Hogs::Hogs(unsigned count, bool own_group) {
  for (unsigned i = 0; i < count; ++i) {
    const pid_t pid = fork();
    if (pid < 0) throw std::system_error(errno, std::generic_category(), "starting a hog");
    if (pid == 0) {  // only async-signal-safe calls: the parent has threads
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (own_group) setsid();
      for (std::atomic<unsigned> spin = 0;;) spin.fetch_add(1, std::memory_order_relaxed);
    }
    pids_.push_back(pid);
  }
}

Hogs::~Hogs() {
  for (const pid_t pid : pids_) kill(pid, SIGKILL);
  for (const pid_t pid : pids_) waitpid(pid, nullptr, 0);
}

}  // namespace dofa::bench
