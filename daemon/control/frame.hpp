// SPDX-License-Identifier: Apache-2.0
// One frame on its way through the runtime. Whoever submits it (a D-Bus call, a ring's slot) owns it and
// keeps it and its pixels alive until done() is called, exactly once, on a lane's thread or on the
// submitter's; after that the runtime never touches it again, so done() may reuse or delete it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "daemon/base.hpp"
#include "daemon/control/clock.hpp"
#include "daemon/engine/image.hpp"
#include "daemon/engine/top_k.hpp"

namespace dofa::control {

class Session;

inline constexpr std::uint32_t kMaxTop = 100;

/// What became of a frame that was run.
struct FrameAnswer {
  std::uint64_t sequence = 0;  ///< of the session, from 1
  std::uint32_t level = 0;
  std::string_view processor = "cpu";  ///< that ran it; valid during done() only
  bool late = false;                   ///< answered after its deadline
  std::int64_t queue_us = 0;           ///< from arrival to the start of its preparation
  std::int64_t preprocess_us = 0;
  std::int64_t inference_us = 0;  ///< of the whole batch, where it was run with others
  std::uint32_t top_count = 0;
  std::array<engine::TopClass, kMaxTop> top{};
  std::span<const float> logits;  ///< the network's outputs; the runner's, valid during done() only
};

class Frame {
 public:
  Frame() = default;
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  virtual ~Frame() = default;

  /// `error` is null where `answer` holds the result.
  virtual void done(const Error* error, const FrameAnswer& answer) noexcept = 0;

  engine::ImageView image;
  std::uint32_t top_k = 5;  ///< 1..kMaxTop
  /// µs from arrival; only a later deadline than the contract's counts. 0 = the contract's.
  std::int64_t relative_deadline_us = 0;

  // Filled in by the runtime.
  std::shared_ptr<Session> session;
  std::int64_t arrival_us = 0;
  std::int64_t deadline_us = kNever;
  bool background = false;  ///< above its contract's rate: served when nothing else waits
  FrameAnswer answer;
};

}  // namespace dofa::control
