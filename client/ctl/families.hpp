// SPDX-License-Identifier: Apache-2.0
// What `show` prints of a family, for the verbs that end with it. One thread's.
#pragma once

#include "client/ctl/context.hpp"

namespace dofa::ctl {

/// Levels and what was measured, in words or JSON as the context says.
void print_family(const Context& context, const client::Family& family);

}  // namespace dofa::ctl
