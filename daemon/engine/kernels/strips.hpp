// SPDX-License-Identifier: Apache-2.0
// How a block's rows flow, decided when a plan is made; private to this room. Pure.
#pragma once

#include "daemon/engine/kernels/plan.hpp"

namespace dofa::engine::kernels {

/// Decides how the rows of a block whose layers are known flow (group_blocks, strip_rows, strips_outer and
/// the ring in depthwise), and gives the working memory that takes. Small planes: one group of channels after
/// the other, each whole. Large planes: a strip of rows through all groups and the project layer, so that
/// what lies between the layers never leaves the cache.
ArenaSizes choose_strips(BlockStep& step);

}  // namespace dofa::engine::kernels
