// SPDX-License-Identifier: Apache-2.0
// What a lane does next: one pure function over the lane's queue. It runs before every frame, so it neither
// allocates nor looks at a level it need not. DESIGN §6, "Dispatcher".
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "daemon/policy/contract.hpp"
#include "daemon/policy/profile.hpp"
#include "daemon/policy/slowdown.hpp"

namespace dofa::policy {

using SessionId = std::uint32_t;
inline constexpr std::int64_t kNoDeadline = INT64_MAX / 4;

/// A frame that waits on a lane. Queues are kept in deadline order by their owner.
struct QueuedFrame {
  SessionId session = 0;
  std::int64_t deadline_us = kNoDeadline;
  double prepare_us = 0.0;  ///< expected preprocessing time of its format and size (c)
  bool background = false;  ///< above its contract's rate: served when nothing else waits
};

/// What the dispatcher has to know of a session.
struct DispatchSession {
  const FamilyProfile* family = nullptr;
  std::uint32_t floor = 0;    ///< lowest level the contract accepts
  std::uint32_t ceiling = 0;  ///< highest level the planner grants
  double z = 1.645;           ///< normal quantile of the contract's percentile
  WhenLate when_late = WhenLate::kDeliver;
};

/// A frame that a periodic session will submit; lists are kept in deadline order.
struct ExpectedFrame {
  SessionId session = 0;
  std::int64_t arrival_us = 0;
  std::int64_t deadline_us = kNoDeadline;
  double prepare_us = 0.0;
};

enum class DispatchReason : std::uint8_t {
  kCeiling,     ///< runs at the planner's ceiling
  kDeadline,    ///< below the ceiling: its own deadline is too near
  kReserved,    ///< below the ceiling: room is kept for frames behind it or about to come
  kAtRisk,      ///< fastest acceptable point, and even that may be late
  kLate,        ///< cannot be on time any more, delivered because nothing on time waits
  kProbe,       ///< cannot be on time by what we know, but we know nothing recent: run to learn
  kBackground,  ///< above its contract's rate, and nothing else waits
  kHopeless,    ///< dropped: cannot be on time even at its fastest acceptable point
  kIdle,        ///< nothing waits
};
const char* describe(DispatchReason reason);

struct DispatchDecision {
  enum class Action : std::uint8_t { kRun, kDrop, kNothing };
  Action action = Action::kNothing;
  std::size_t frame = 0;    ///< index into the queue
  std::uint32_t level = 0;  ///< with kRun
  DispatchReason reason = DispatchReason::kIdle;
  double mean_us = 0.0;      ///< with kRun: predicted inference time …
  double quantile_us = 0.0;  ///< … and what it stays below at the contract's percentile
  /// With kRun: how many frames run at once; above 1 `batch` has their places in the queue, `frame` first,
  /// and the times above are the batch's.
  std::uint32_t count = 1;
  std::array<std::size_t, kMaxBatch> batch{};
};

/// Decides for one lane on `processor`. `sessions` is indexed by SessionId. After kDrop the caller answers
/// the frame and asks again. Where the level's profile has batches, further frames of the same family ride
/// along as long as each costs less than alone and neither they nor anything that waits or is expected comes
/// too late for it.
DispatchDecision dispatch(std::int64_t now_us, std::uint32_t processor, const SlowdownFilter& slowdown,
                          std::span<const QueuedFrame> queue, std::span<const ExpectedFrame> expected,
                          std::span<const DispatchSession> sessions);

}  // namespace dofa::policy
