// SPDX-License-Identifier: Apache-2.0
// The signals a service lives by, received in its control loop rather than in a handler: SIGTERM and SIGINT stop, SIGHUP
// reloads. Construct it before any other thread; wait() belongs to one thread, request_stop() to any.
#pragma once

#include <atomic>
#include <cstdint>

namespace dofa::host {

enum class Signal : std::uint8_t { kNone, kStop, kReload };

class Signals {
 public:
  Signals();  ///< blocks the signals for this thread and those it starts; ignores SIGPIPE
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Waits up to `timeout_ms` for a signal or a request.
  Signal wait(int timeout_ms);
  /// Ends the loop from inside, as a signal would.
  void request_stop();
  [[nodiscard]] bool stop_was_requested() const { return requested_; }

 private:
  int signal_fd_;
  int event_fd_;
  std::atomic<bool> requested_ = false;
};

}  // namespace dofa::host
