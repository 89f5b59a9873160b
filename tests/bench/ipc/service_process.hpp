// SPDX-License-Identifier: Apache-2.0
// A dofad of the bench's own: this program again, serving tests/support's fake family, in another process as
// in real life.
#pragma once

#include <sys/types.h>

#include <string>

namespace dofa::bench {

/// Lives from construction (it has its name on the bus then) to destruction. Throws std::runtime_error where
/// it does not come up.
class ServiceProcess {
 public:
  explicit ServiceProcess(const std::string& bus);
  ~ServiceProcess();
  ServiceProcess(const ServiceProcess&) = delete;
  ServiceProcess& operator=(const ServiceProcess&) = delete;

 private:
  pid_t pid_ = -1;
  int lifeline_ = -1;  ///< the other process ends when this closes
};

/// What that process does: serves on `bus` until its standard input ends. Its exit status.
int serve_until_input_ends(const std::string& bus);

}  // namespace dofa::bench
