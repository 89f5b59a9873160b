// SPDX-License-Identifier: Apache-2.0
// The signals a service lives by, received in its control loop: SIGTERM and SIGINT stop, SIGHUP reloads.
// Handlers rather than a blocked mask and signalfd: libraries start threads before main (OpenBLAS does),
// those do not inherit the mask, and one unblocked thread is enough for the signal to kill the process. At
// most one object at a time; wait() belongs to one thread, the others to any.
#pragma once

#include <atomic>
#include <cstdint>

namespace dofa::host {

enum class Signal : std::uint8_t { kNone, kStop, kReload };

class Signals {
 public:
  Signals();  ///< installs the handlers; ignores SIGPIPE
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Waits up to `timeout_ms` for a signal, a request or a nudge (kNone).
  Signal wait(int timeout_ms);
  /// The loop should go round now. Any thread; never blocks.
  void nudge();
  /// Ends the loop from inside, as a signal would.
  void request_stop();
  [[nodiscard]] bool stop_was_requested() const { return requested_; }

 private:
  int read_fd_;
  int write_fd_;
  std::atomic<bool> requested_ = false;
};

}  // namespace dofa::host
