// SPDX-License-Identifier: Apache-2.0
// The monitor room's front door: a thread that samples the machine and publishes Snapshots. What can't be
// read is absent, never an error; nothing here logs, comings and goings of sources are handed out as events.
//
//   Monitor monitor(options);
//   monitor.start();                            // the first snapshot follows within a period
//   monitor.add_worker(gettid());               // from each worker thread, or with its tid
//   const Snapshot now = monitor.latest();      // any thread, lock-free, about a microsecond
//   for (const Event& event : monitor.drain_events()) log(event);
//
// Every member may be called from any thread, except start() and stop(), which belong to the owner. The
// destructor stops. The one child process (tegrastats) dies with the Monitor.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/monitor/options.hpp"
#include "daemon/monitor/seqlock.hpp"
#include "daemon/monitor/snapshot.hpp"

namespace dofa::monitor {

class Sampler;

class Monitor {
 public:
  explicit Monitor(Options options);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  /// Starts the sampling thread. kFailed where the system gives no thread; kBusy where it already runs.
  Result<void> start();
  void stop();

  /// The newest snapshot, its ages judged as of now: a stuck sampler shows as stale readings.
  [[nodiscard]] Snapshot latest() const;

  /// Whose run-queue wait is summed. Unknown or ended threads are dropped silently.
  void add_worker(int tid);
  void remove_worker(int tid);

  /// Events since the last call, oldest first. At most one per source and ten seconds, and the oldest of more
  /// than 64 unread ones are dropped, so logging each is safe.
  [[nodiscard]] std::vector<Event> drain_events();

 private:
  void run();

  std::int64_t period_us_;
  std::unique_ptr<Sampler> sampler_;
  Seqlock<Snapshot> published_;
  std::thread thread_;
  std::mutex stop_mutex_;
  std::condition_variable stop_changed_;
  bool stopping_ = false;
};

/// CLOCK_MONOTONIC in microseconds: the clock of every `now_us` and `time_us` in this room.
[[nodiscard]] std::int64_t monotonic_now_us();

}  // namespace dofa::monitor
