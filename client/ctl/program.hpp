// SPDX-License-Identifier: Apache-2.0
// From a command line to a verb's run, and from whatever goes wrong there to one line on stderr and an exit
// code: shared by dofactl and the programs that it becomes for some verbs (external.hpp). The main thread's.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "client/ctl/verbs.hpp"

namespace dofa::ctl {

/// Sets up signals and locale, then runs `run`: its result, or the exit code of what it threw.
int guarded_main(const std::function<int()>& run);

/// Reads `words` (everything but the verb's own name) by the verb's and the global options, and runs it.
/// `named` says whether the user wrote the verb's name. Throws what the verb throws, and UsageError.
int run_verb(const Verb& verb, const std::vector<std::string>& words, bool named = true);

}  // namespace dofa::ctl
