// SPDX-License-Identifier: Apache-2.0
// The thread that an application's handlers run on: apart from the bus's event loop, so that a handler may
// make calls. Thread-safe. A Gate stands before the handlers of one object and, once closed, lets none of
// them in any more.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

namespace dofa::client {

class Dispatcher {
 public:
  Dispatcher();
  /// Drops what still waits, and returns when the task that runs has ended (unless it is that task that
  /// calls).
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// Whoever may outlive the dispatcher posts through this; what comes too late is dropped.
  class Queue {
   public:
    /// Runs `task` after everything that is due by then.
    void post(std::function<void()> task, std::chrono::milliseconds delay = {});

   private:
    friend class Dispatcher;
    using Clock = std::chrono::steady_clock;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::multimap<Clock::time_point, std::function<void()>> tasks_;  ///< by when they are due
    bool stopped_ = false;
  };
  [[nodiscard]] const std::shared_ptr<Queue>& queue() const { return queue_; }

 private:
  static void run(const std::shared_ptr<Queue>& queue);

  std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
  std::thread thread_;
};

class Gate {
 public:
  /// Runs `task` unless closed. What it throws is dropped: nobody above could do anything with it.
  void pass(const std::function<void()>& task) {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    try {
      task();
    } catch (...) {
    }
  }
  /// Returns when no task runs in another thread; none will.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }

 private:
  std::recursive_mutex mutex_;  // a handler may destroy the object it belongs to
  bool closed_ = false;
};

}  // namespace dofa::client
