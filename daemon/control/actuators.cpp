// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/actuators.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace dofa::control {
namespace {

/// A real-time thread that computes this long without a pause is a runaway: no inference takes a second.
constexpr rlim_t kRunawayUs = 1'000'000;

/// SIGXCPU goes to the thread that used up RLIMIT_RTTIME: it goes on as an ordinary one. One system call,
/// safe in a handler; the flag stays because taking it back would need CAP_SYS_NICE.
void demote(int) {
  const int saved_errno = errno;
  const sched_param ordinary{0};
  sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &ordinary);
  errno = saved_errno;
}

void pin(const std::vector<std::uint32_t>& cores, std::uint32_t lane, std::vector<std::string>& refused) {
  if (cores.empty()) return;
  const std::uint32_t core = cores[lane % cores.size()];
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) {
    refused.push_back("lanes.affinity: core " + std::to_string(core) + ": " + std::strerror(errno));
  }
}

void make_real_time(std::uint32_t priority, std::vector<std::string>& refused) {
  struct sigaction action {};
  action.sa_handler = demote;
  action.sa_flags = SA_RESTART;
  sigaction(SIGXCPU, &action, nullptr);
  // The hard limit would kill the service; only the soft one, which demotes, is wanted.
  rlimit limit{};
  getrlimit(RLIMIT_RTTIME, &limit);
  limit.rlim_cur = kRunawayUs;
  const sched_param parameters{static_cast<int>(priority)};
  if (setrlimit(RLIMIT_RTTIME, &limit) != 0 ||
      sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &parameters) != 0) {
    refused.push_back(std::string("lanes.realtime: ") + std::strerror(errno) +
                      "; a drop-in with RestrictRealtime=no and LimitRTPRIO=" + std::to_string(priority) +
                      " grants it");
  }
}

}  // namespace

std::vector<std::string> apply_actuators(const config::LaneOptions& options, std::uint32_t lane) {
  std::vector<std::string> refused;
  pin(options.affinity, lane, refused);
  if (options.nice != 0 && setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), options.nice) != 0) {
    refused.push_back(std::string("lanes.nice: ") + std::strerror(errno) +
                      "; a drop-in with LimitNICE=" + std::to_string(options.nice) + " grants it");
  }
  if (options.realtime != 0) make_real_time(options.realtime, refused);
  return refused;
}

}  // namespace dofa::control
