// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/ipc/service_process.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>

#include "daemon/bus/service.hpp"
#include "daemon/control/log_level.hpp"
#include "daemon/control/runtime.hpp"
#include "daemon/stream/server.hpp"
#include "tests/support/fake_family.hpp"

namespace dofa::bench {

ServiceProcess::ServiceProcess(const std::string& bus) {
  int life[2];
  int ready[2];
  if (pipe2(life, O_CLOEXEC) != 0 || pipe2(ready, O_CLOEXEC) != 0)
    throw std::runtime_error("no pipe to be had");
  lifeline_ = life[1];
  pid_ = fork();
  if (pid_ == 0) {
    dup2(life[0], STDIN_FILENO);
    dup2(ready[1], STDOUT_FILENO);
    execl("/proc/self/exe", "dofa-bench", "ipc", "--serve", bus.c_str(), nullptr);
    _exit(127);
  }
  close(life[0]);
  close(ready[1]);
  char word = 0;
  const bool up = pid_ > 0 && read(ready[0], &word, 1) == 1;
  close(ready[0]);
  if (!up) throw std::runtime_error("the service to measure did not come up");
}

ServiceProcess::~ServiceProcess() {
  close(lifeline_);
  if (pid_ > 0) waitpid(pid_, nullptr, 0);
}

int serve_until_input_ends(const std::string& bus) {
  control::set_up_log();  // on stderr: stdout says that we are up
  (void)control::set_log_level("warning");
  config::ServiceOptions options;
  options.lanes.cpu = 1;
  control::Runtime runtime(options, {});
  if (!runtime.adopt_family(std::make_shared<test::FakeFamily>())) return 1;
  stream::Server streams(runtime);
  bus::Service service(runtime, streams, {bus, DOFA_VERSION, [] { return Result<void>(); }, [] {}});
  std::putchar('!');
  std::fflush(stdout);
  char end = 0;
  while (read(STDIN_FILENO, &end, 1) > 0) continue;
  runtime.shut_down();
  service.collect();
  return 0;
}

}  // namespace dofa::bench
