// SPDX-License-Identifier: Apache-2.0
// What the verbs that open a session of their own share: which family, and which contract. The options are
// those of kSessionOptions in verbs.cpp.
#pragma once

#include <dofa/client.hpp>

#include "client/ctl/options.hpp"

namespace dofa::ctl {

/// From --level, --min-accuracy, --budget-us and --contract. Throws UsageError.
client::Contract contract_of(const CommandLine& line);
/// The one that --family names, else the first loaded. Throws client::Error (kNotFound).
client::Family family_of(const client::Client& client, const CommandLine& line);

}  // namespace dofa::ctl
