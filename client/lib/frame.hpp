// SPDX-License-Identifier: Apache-2.0
// Puts a frame where the service can read it: a memfd that nobody can change any more. Stateless.
#pragma once

#include <dofa/client_types.hpp>

namespace dofa::client {

/// A new memfd with the frame's pixels from byte 0, sealed F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
/// F_SEAL_SEAL. The caller closes it. Throws Error.
int sealed_copy(const Frame& frame);

}  // namespace dofa::client
