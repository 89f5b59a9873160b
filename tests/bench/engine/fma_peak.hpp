// SPDX-License-Identifier: Apache-2.0
// What the machine can do at most: multiply-adds a second in registers alone, on the SIMD target in use.
#pragma once

#include "daemon/engine/kernels/team.hpp"

namespace dofa::bench {

/// float32 multiply-accumulates a second of all the team's threads together, best of several tries.
double fma_peak_per_second(engine::kernels::Team& team);

}  // namespace dofa::bench
