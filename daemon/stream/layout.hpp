// SPDX-License-Identifier: Apache-2.0
// Where things lie in a frame ring, computed from what the application asked for and the configured limits.
// The daemon works with these numbers only; the copy in the ring's head (proto/frame_ring.h) is for the
// application. Pure functions.
#pragma once

#include <cstdint>

#include "daemon/base.hpp"
#include "daemon/control/runtime.hpp"
#include "daemon/control/stream_gate.hpp"
#include "proto/frame_ring.h"

namespace dofa::stream {

struct RingLayout {
  engine::ImageLayout image;  ///< as asked for, checked
  std::uint32_t slots = 0;
  std::uint32_t top_k = 0;
  std::uint32_t raw_floats = 0;
  std::uint64_t bytes = 0;          ///< of the whole memfd, whole pages
  std::uint64_t slots_offset = 0;   ///< from the start of the memfd
  std::uint64_t slot_bytes = 0;     ///< whole pages
  std::uint64_t pixels_offset = 0;  ///< these four from the start of a slot
  std::uint64_t result_offset = 0;
  std::uint64_t top_offset = 0;
  std::uint64_t raw_offset = 0;
  std::uint64_t pixels_bytes = 0;  ///< room for pixels
};

/// `classes`: outputs of the session's family. kInvalidArgument, or kResourceExhausted naming the limit.
Result<RingLayout> plan_ring(const control::StreamRequest& request, std::uint32_t classes,
                             const config::LimitOptions& limits);

/// The head of the memfd that tells the application.
dofa_ring describe(const RingLayout& layout);

}  // namespace dofa::stream
