// SPDX-License-Identifier: Apache-2.0
// dofa-bench TOPIC [ARGUMENT…]: measures one thing and prints it, with --json as one object (DESIGN §9).
#include <cstdio>
#include <string_view>

#include "tests/bench/topic.hpp"

namespace dofa::bench {
namespace {

struct Topic {
  std::string_view name;
  int (*run)(const Arguments&);
  std::string_view about;
};

constexpr Topic kTopics[] = {
#ifdef DOFA_WITH_ENGINE
    {"cuda", run_cuda, "[--rounds N] [--json]: captured graphs on a GPU against LibTorch's ways"},
    {"engine", run_engine,
     "[--layers] [--threads N] [--target SIMD] [--nets PART] [--rounds N] [--half-head] [--json]: time of a "
     "frame"},
    {"headline", run_headline,
     "[--rounds N] [--target SIMD] [--plot FILE.svg] [--json]: Once-for-all levels against other dynamic "
     "networks"},
    {"memory", run_memory, "[--json]: what a resident family costs"},
    {"switch", run_switch, "[--rounds N] [--json]: time to choose another sub-network, and its first frame"},
#endif
#ifdef DOFA_WITH_CLIENT
    {"live", run_live,
     "--bus BUS --family NAME [--budget-factor X] [--hogs N] [--own-group] [--two] [--seconds N] [--table] "
     "[--plot FILE.svg] [--json]: contracts on a running dofad while other programs take the CPU"},
#endif
#ifdef DOFA_WITH_SERVICE
    {"ipc", run_ipc,
     "[--rounds N] [--period-us N] [--json]: what bringing a frame to dofad and its answer back costs"},
#endif
    {"policy", run_policy, "[--json]: time of one dispatcher decision"},
    {"replay", run_replay,
     "TRACE… [--policy all|NAME…] [--json] [--plot FILE.svg]: policies over recorded load"},
};

}  // namespace

}  // namespace dofa::bench

int main(int argc, char** argv) {
  using namespace dofa::bench;
  const std::string_view name = argc > 1 ? argv[1] : "";
  for (const Topic& topic : kTopics) {
    if (topic.name == name) return topic.run(Arguments(argv + 2, argv + argc));
  }
  const bool asked = name == "--help" || name == "-h" || name == "help";
  if (!name.empty() && !asked) std::fprintf(stderr, "dofa-bench: no topic '%s'\n", argv[1]);
  for (const Topic& topic : kTopics) {
    std::fprintf(asked ? stdout : stderr, "  dofa-bench %.*s %.*s\n", static_cast<int>(topic.name.size()),
                 topic.name.data(), static_cast<int>(topic.about.size()), topic.about.data());
  }
  return asked ? 0 : 2;
}
