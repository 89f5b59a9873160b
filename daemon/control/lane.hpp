// SPDX-License-Identifier: Apache-2.0
// One executor: a thread that takes jobs from the scheduler and runs them with its own runners. Nothing is locked and
// nothing allocated while a frame runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "daemon/control/scheduler.hpp"
#include "daemon/control/session.hpp"

namespace dofa::control {

class Lane {
 public:
  /// `prepare_thread` runs once on the lane's thread.
  Lane(std::uint32_t index, Scheduler& scheduler, std::function<void()> prepare_thread);
  ~Lane();  ///< joins: stop the scheduler first
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  /// Since when the lane has been busy with one frame, µs; 0 = idle.
  [[nodiscard]] std::int64_t busy_since_us() const { return busy_since_us_.load(std::memory_order_relaxed); }

 private:
  void work(const std::function<void()>& prepare_thread);
  void serve(Frame& frame, std::uint32_t level);

  const std::uint32_t index_;
  Scheduler& scheduler_;
  std::atomic<std::int64_t> busy_since_us_ = 0;
  std::thread thread_;  ///< last: it uses everything above
};

/// Ends a frame that was not run.
void end_frame(Frame& frame, const Error& error);

}  // namespace dofa::control
