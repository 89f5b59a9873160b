// SPDX-License-Identifier: Apache-2.0
// One executor: a thread that takes frames in deadline order and runs them with its own runners. The lock guards the queue
// only, never an inference. Frames are borrowed until their done(); submit() and cancel() may be called from any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "daemon/control/frame.hpp"
#include "daemon/control/session.hpp"

namespace dofa::control {

class Lane {
 public:
  /// `prepare_thread` runs once on the lane's thread. `capacity` frames wait without an allocation.
  Lane(std::uint32_t index, std::size_t capacity, std::function<void()> prepare_thread);
  ~Lane();  ///< stops; frames still waiting are done with kCancelled
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  void submit(Frame& frame);
  /// Takes the waiting frames of a session out and ends them with kCancelled; one that is running goes on.
  void cancel(const Session& session);
  [[nodiscard]] std::size_t waiting() const;
  /// Since when the lane has been busy with one frame, µs; 0 = idle.
  [[nodiscard]] std::int64_t busy_since_us() const { return busy_since_us_.load(std::memory_order_relaxed); }

 private:
  void work(const std::function<void()>& prepare_thread);
  void serve(Frame& frame);
  static void end(Frame& frame, const Error& error);

  const std::uint32_t index_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Frame*> queue_;  ///< heap: earliest deadline first, then earliest arrival
  bool stopping_ = false;
  std::atomic<std::int64_t> busy_since_us_ = 0;
  std::thread thread_;  ///< last: it uses everything above
};

}  // namespace dofa::control
