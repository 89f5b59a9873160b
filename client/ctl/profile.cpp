// SPDX-License-Identifier: Apache-2.0
// profile: has the service measure a family's levels anew, and shows them once it has.
#include <unistd.h>

#include <set>
#include <thread>

#include "client/ctl/families.hpp"
#include "client/ctl/live_line.hpp"
#include "client/ctl/present.hpp"
#include "client/ctl/verbs.hpp"

namespace dofa::ctl {

namespace {

using Clock = std::chrono::steady_clock;
constexpr double kPatienceSeconds = 120;  // a processor has to be quiet: longer than for an answer
constexpr auto kLook = std::chrono::milliseconds(250);

/// "cpu, cuda:0": where the new measurement is still to come; "" once it is done.
std::string unmeasured(const client::Family& family) {
  std::set<std::string> processors;
  for (const auto& subnet : family.subnets) {
    for (const auto& [processor, profile] : subnet.profiles)
      if (profile.provisional) processors.insert(processor);
  }
  std::string list;
  for (const auto& processor : processors) list += (list.empty() ? "" : ", ") + processor;
  return list;
}

}  // namespace

int run_profile(const Context& context) {
  const std::string& name = context.argument(0);
  const double patience = context.line.number("--timeout", 0.001, 86'400).value_or(kPatienceSeconds);
  auto client = context.connect();
  const auto start = Clock::now();
  client.profile_family(name);

  auto family = client.family(name);
  const bool shown = !context.json && ::isatty(STDOUT_FILENO) == 1;
  {
    LiveLine line;
    for (std::string rest; !(rest = unmeasured(family)).empty(); family = client.family(name)) {
      const double waited = std::chrono::duration<double>(Clock::now() - start).count();
      if (waited >= patience) {
        throw client::Error(client::ErrorCode::kTimedOut,
                            "'" + name + "' is not measured on " + rest +
                                " yet; dofad goes on measuring whenever it is quiet there");
      }
      // Elsewhere than on a terminal, stdout is for the result.
      if (shown)
        line.show("measuring '" + name + "' on " + rest + " between frames, " + fixed(waited, 0) + " s");
      std::this_thread::sleep_for(kLook);
    }
  }
  print_family(context, family);
  return kExitOk;
}

}  // namespace dofa::ctl
