// SPDX-License-Identifier: Apache-2.0
// Other programs that want the CPU: child processes that spin until the object goes. They die with the thread
// that made them. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <vector>

namespace dofa::bench {

class Hogs {
 public:
  /// `own_group` puts them into another scheduling group where the kernel's autogroup is on (setsid).
  Hogs(unsigned count, bool own_group);
  ~Hogs();
  Hogs(const Hogs&) = delete;
  Hogs& operator=(const Hogs&) = delete;

 private:
  std::vector<pid_t> pids_;
};

}  // namespace dofa::bench
