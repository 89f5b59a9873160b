// SPDX-License-Identifier: Apache-2.0
// One executor: a thread that takes jobs from the scheduler and runs them with its own runners. Nothing is
// locked and nothing allocated while a frame runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <thread>

#include "daemon/control/scheduler.hpp"
#include "daemon/control/session.hpp"

namespace dofa::control {

/// What a lane is told at its birth.
struct LaneSetup {
  std::uint32_t index = 0;
  std::string processor = "cpu";
  std::string thread = "lane-cpu-0";     ///< the thread's name, at most 15 characters
  std::function<void()> prepare_thread;  ///< runs once on the lane's thread
  std::function<void()> end_thread;      ///< runs last on it; may be empty
  /// Takes the frames at hand when a runner reports that the processor is gone; runs on the lane's thread.
  /// Empty: such an error is the frame's alone, as there is nowhere else to go.
  std::function<void(const Error& error, std::span<Frame* const> frames)> lost;
};

class Lane {
 public:
  Lane(LaneSetup setup, Scheduler& scheduler);
  ~Lane();  ///< joins: stop the scheduler first
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  /// Since when the lane has been busy with one frame or batch, µs; 0 = idle.
  [[nodiscard]] std::int64_t busy_since_us() const { return busy_since_us_.load(std::memory_order_relaxed); }

 private:
  struct Batch;
  void work();
  void serve(const Job& job);
  Result<void> prepare(Batch& batch, engine::Runner& runner, std::uint32_t level);
  void answer(Batch& batch, std::span<const float> logits);
  void end(Batch& batch, const Error& error);
  void refuse(Batch& batch, const Error& error);
  void give_back(Batch& batch, const Error& error);
  [[nodiscard]] bool is_loss(const Error& error) const;

  const LaneSetup setup_;
  Scheduler& scheduler_;
  std::atomic<std::int64_t> busy_since_us_ = 0;
  std::thread thread_;  ///< last: it uses everything above
};

/// Ends a frame that was not run.
void end_frame(Frame& frame, const Error& error);

}  // namespace dofa::control
