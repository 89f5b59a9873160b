// SPDX-License-Identifier: Apache-2.0
// An application's description of a frame, out of memory that it can change at any time: copied once, then
// checked. Pure functions; thread-safe.
#pragma once

#include <cstdint>

#include "daemon/base.hpp"
#include "daemon/control/frame.hpp"
#include "proto/frame_ring.h"

namespace dofa::stream {

/// Reads each word exactly once: what is checked afterwards is what will be used.
dofa_frame copy_frame_header(const dofa_frame& shared);

struct FrameHeader {
  engine::ImageLayout layout;    ///< fits the room given to check_frame_header()
  std::int64_t deadline_us = 0;  ///< from arrival; 0 = the contract's
};

/// kInvalidArgument where the header makes no sense or its frame needs more than `pixels_bytes`.
Result<FrameHeader> check_frame_header(const dofa_frame& header, std::uint64_t pixels_bytes);

}  // namespace dofa::stream
