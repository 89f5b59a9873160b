// SPDX-License-Identifier: Apache-2.0
// Runs sessions through a policy in virtual time. Arrivals, the monitor's readings and planner ticks come at
// their times; a lane is busy with a frame for as long as the world says, and is never interrupted.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "daemon/policy/dispatcher.hpp"
#include "tests/bench/replay/world.hpp"

namespace dofa::replay {

inline constexpr std::int64_t kTickUs = 100'000;  // of the planner, as in daemon/control

/// An application: a frame every period from begin to end.
struct Application {
  policy::Contract contract;  ///< with budget and period
  std::int64_t begin_us = 0;
  std::int64_t end_us = 0;
  std::int64_t every_us = 0;  ///< time between its frames where it does not keep to its period
};

/// What became of one frame.
struct FrameRecord {
  policy::SessionId session = 0;
  std::int64_t arrived_us = 0;
  std::int64_t deadline_us = 0;
  std::int64_t started_us = 0;
  std::int64_t finished_us = 0;
  int level = -1;    ///< -1: not run
  int ceiling = -1;  ///< planned level at that time; the level itself for policies without a planner
  std::size_t processor = 0;
  double predicted_q95_us = 0;  ///< 0.95 quantile of its inference time as predicted before it ran; 0: none
  double inference_us = 0;

  [[nodiscard]] bool served() const { return level >= 0; }
  [[nodiscard]] bool on_time() const { return served() && finished_us <= deadline_us; }
};

/// A decision for a free lane.
struct Pick {
  enum class Action : std::uint8_t { kRun, kDrop, kNothing } action = Action::kNothing;
  std::size_t frame = 0;  ///< index into the queue
  std::uint32_t level = 0;
  int ceiling = -1;
  double predicted_q95_us = 0;
};

/// A policy under test. Lanes: one per processor of the world.
class Player {
 public:
  virtual ~Player() = default;
  /// Returns whether the session was admitted; refused sessions submit nothing.
  virtual bool open(policy::SessionId id, const Application& application, std::int64_t now_us) = 0;
  virtual void close(policy::SessionId, std::int64_t) {}
  virtual bool arrived(policy::SessionId, std::int64_t) { return false; }  ///< true: background
  virtual std::uint32_t lane_of(policy::SessionId) const { return 0; }
  virtual Pick pick(std::uint32_t lane, std::int64_t now_us, std::span<const policy::QueuedFrame> queue) = 0;
  virtual void finished(const FrameRecord&, std::uint32_t) {}
  virtual void dropped(const FrameRecord&) {}
  virtual void reading(const Reading&) {}
  virtual void tick(std::int64_t) {}
  /// Times at which the planned level moved; by default the changes of the level that ran.
  [[nodiscard]] virtual std::vector<std::int64_t> switches(std::span<const FrameRecord> frames) const;
};

struct Outcome {
  std::vector<FrameRecord> frames;  ///< in order of arrival
  std::vector<bool> admitted;       ///< per application
  std::vector<std::int64_t> switches_us;
};

Outcome play(const World& world, std::span<const Application> applications, Player& player);

/// One application with the period and percentile over the whole world.
Application whole_length(const World& world, double budget_us);

}  // namespace dofa::replay
