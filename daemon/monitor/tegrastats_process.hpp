// SPDX-License-Identifier: Apache-2.0
// NVIDIA's tegrastats as a child process that cannot hurt us. Whatever it does (hang, flood, die, print half
// lines), poll() returns at once, buffers stay bounded, and the child is started again with growing pauses.
// It is the only child, runs in a process group of its own, and is killed with this object. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/monitor/sysfile.hpp"
#include "daemon/monitor/tegrastats.hpp"

namespace dofa::monitor {

/// The newest complete line of a stream that arrives in pieces. Lines beyond a limit are dropped, not kept
/// waiting for.
class NewestLine {
 public:
  static constexpr std::size_t kLongestLine = 8192;  ///< real ones stay below 1000 characters

  /// Takes the next piece; the newest line completed by it, if any, stays valid until the next call.
  std::optional<std::string_view> feed(std::string_view piece);
  void clear();

 private:
  std::string begun_;  // of the line whose end has not come yet
  std::string line_;
  bool overlong_ = false;
};

class TegrastatsProcess {
 public:
  TegrastatsProcess(std::string path, std::int64_t interval_us);
  ~TegrastatsProcess();
  TegrastatsProcess(const TegrastatsProcess&) = delete;
  TegrastatsProcess& operator=(const TegrastatsProcess&) = delete;

  /// Starts the program where it is due, reads what it has printed, and returns the newest line that says
  /// something.
  std::optional<TegrastatsLine> poll(std::int64_t now_us);
  /// Why the last child ended, e.g. "exited with status 1; next try in 2 s"; empty where none has.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  /// The running child, 0 where there is none.
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  void start(std::int64_t now_us);
  std::optional<TegrastatsLine> read_lines(std::int64_t now_us);
  void end(std::string reason);
  void reap(std::int64_t now_us);

  std::string path_;
  std::int64_t interval_us_;
  bool pass_interval_ = true;  // the oldest releases know no --interval: then tried without
  pid_t pid_ = 0;
  bool ending_ = false;  // killed or closed its output; not yet reaped
  std::string end_reason_;
  Fd output_;
  NewestLine lines_;
  std::uint64_t good_lines_ = 0;  // of this child
  std::int64_t last_good_us_ = 0;
  std::int64_t flood_window_us_ = 0;
  std::size_t flood_bytes_ = 0;
  std::int64_t next_start_us_ = INT64_MIN;
  std::int64_t pause_us_;
  std::string trouble_;
};

}  // namespace dofa::monitor
