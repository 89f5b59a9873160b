// SPDX-License-Identifier: Apache-2.0
#include "daemon/one_shot.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>

#include "daemon/config/family.hpp"
#include "daemon/engine/family.hpp"
#include "daemon/engine/thread.hpp"
#include "daemon/host/child.hpp"
#include "daemon/monitor/tegrastats.hpp"

namespace dofa {
namespace {

constexpr int kFailed = 1;

/// Foreign code runs next: it gets the CPU and the memory that nobody else wants, and goes when the service
/// goes.
void be_expendable() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  (void)!nice(10);
  std::ofstream("/proc/self/oom_score_adj") << "1000";
}

}  // namespace

Result<void> verify_in_child(const std::string& directory, std::uint32_t timeout_s) {
  const auto outcome = host::run_child({"/proc/self/exe", "--verify-family", directory}, timeout_s * 1000LL);
  if (!outcome) return outcome.error();
  if (outcome->exit_code == 0) return {};
  std::string why = outcome->output.substr(0, outcome->output.find('\n'));
  if (outcome->timed_out)
    why = directory + ": the dry run took longer than " + std::to_string(timeout_s) + " s";
  if (why.empty()) why = directory + ": the dry run crashed";
  return Error{ErrorCode::kInvalidFamily, why};
}

int verify_family(const std::string& directory) {
  be_expendable();
  engine::prepare_inference_thread(true);
  const auto description = config::read_family(directory + "/family.yaml");
  const auto family = description ? engine::load_family(directory, *description) : description.error();
  const auto runner = family ? (*family)->make_runner(*family) : family.error();
  if (!runner) std::puts(runner.error().message.c_str());
  return runner ? 0 : kFailed;
}

int parse_tegrastats(const std::string& path) {
  std::ifstream log(path);
  if (!log) {
    std::cerr << "dofad: " << path << ": cannot be read\n";
    return kFailed;
  }
  monitor::print_tegrastats_json(log, std::cout);
  return 0;
}

}  // namespace dofa
