// SPDX-License-Identifier: Apache-2.0
// top: a program of its own, so that dofactl does not need ncurses.
#include "client/ctl/external.hpp"
#include "client/ctl/verbs.hpp"

namespace dofa::ctl {

int run_top(const Context& context) {
  if (context.json)
    throw UsageError("'top' fills a screen; for programs there are 'monitor --json' and 'record'");
  run_external("dofactl-top", context.words);
}

}  // namespace dofa::ctl
