// SPDX-License-Identifier: Apache-2.0
// How verbs that run until told otherwise hear that they should end: SIGINT, SIGTERM, or the end of whoever
// reads stdout. Thread-safe.
#pragma once

namespace dofa::ctl {

class Ending {
 public:
  /// Must exist before any other thread does: they inherit that the two signals are blocked.
  Ending();
  ~Ending();
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;

  /// Ends it from any thread.
  void wake() const;
  /// False after `timeout_ms` (negative: never) in which nothing ended.
  [[nodiscard]] bool wait(int timeout_ms) const;

 private:
  int signal_fd_ = -1;
  int wake_fd_ = -1;
};

}  // namespace dofa::ctl
