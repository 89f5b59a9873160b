// SPDX-License-Identifier: Apache-2.0
// Who uses the CPU, and how long our workers wait for it. Each probe keeps its files open and what it needs
// to form differences; `root` is a prefix before /proc, empty for the real machine. Not thread-safe except
// where said.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/monitor/proc_parse.hpp"
#include "daemon/monitor/snapshot.hpp"
#include "daemon/monitor/sysfile.hpp"

namespace dofa::monitor {

/// Counters since boot at one moment.
struct CpuMoment {
  std::int64_t time_us = 0;
  std::uint64_t own_us = 0;  ///< CPU time of this process
  ProcStat stat;
};

/// What happened between two moments. A core's use is the busy part of the ticks it counted, which cancels
/// the rounding of ticks against the clock; counters that run backwards (they do, a little) count as standing
/// still.
[[nodiscard]] CpuUse cpu_use(const CpuMoment& before, const CpuMoment& after);

class CpuProbe {
 public:
  explicit CpuProbe(const std::string& root);
  /// nullopt on the first call, too: there is no difference yet.
  std::optional<CpuUse> sample(std::int64_t now_us, TextBuffer& buffer);

 private:
  std::uint64_t own_us(TextBuffer& buffer);

  SysFile stat_;
  SysFile self_stat_;
  bool real_machine_;
  std::array<CpuMoment, 2> past_;  // oldest first: differences span two periods (see CpuUse)
  std::size_t known_ = 0;
};

/// Run-queue wait of registered threads. add and remove are thread-safe.
class RunQueueProbe {
 public:
  explicit RunQueueProbe(std::string root) : root_(std::move(root)) {}
  void add(int tid);
  void remove(int tid);
  /// nullopt while no registered thread has been seen twice. A thread that cannot be read (any more) is
  /// forgotten.
  std::optional<RunQueueWait> sample(std::int64_t now_us);

 private:
  struct Worker {
    int tid;
    SysFile schedstat;
    std::optional<std::uint64_t> wait_ns;
  };
  std::string root_;
  std::mutex mutex_;
  std::vector<Worker> workers_;
  std::int64_t last_us_ = 0;
};

}  // namespace dofa::monitor
