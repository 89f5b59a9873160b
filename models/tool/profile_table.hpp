// SPDX-License-Identifier: Apache-2.0
// The half of the profile verb that measures a search space's layers instead of a family's levels.
#pragma once

#include "models/tool/command.hpp"

namespace dofa::tool {

/// --table FILE [--resolutions LIST] [--rounds N] on a family or checkpoint.
Result<int> profile_table(const Arguments& arguments);

}  // namespace dofa::tool
