// SPDX-License-Identifier: Apache-2.0
// dofa-model's verbs called as main() calls them.
#pragma once

#include <string>
#include <vector>

#include "models/tool/command.hpp"

namespace dofa::tool {

/// Runs a verb; what it prints goes to the test's own output.
inline Result<int> run(const std::string& name, const std::vector<std::string>& words) {
  for (const Verb& verb : verbs())
    if (verb.name == name) return verb.run(Arguments(verb.options, words));
  return Error{ErrorCode::kNotFound, "no such verb"};
}

}  // namespace dofa::tool
