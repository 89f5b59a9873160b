// SPDX-License-Identifier: Apache-2.0
// Which cores there are, which we may use, how strong each is, and how fast each may run. `root` is a prefix
// before /proc and /sys, empty for the real machine. Not thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/monitor/snapshot.hpp"
#include "daemon/monitor/sys_parse.hpp"
#include "daemon/monitor/sysfile.hpp"

namespace dofa::monitor {

class TopologyProbe {
 public:
  explicit TopologyProbe(const std::string& root);
  std::optional<Topology> sample(TextBuffer& buffer);
  /// Reads the capacities again: the kernel learns them late in its start.
  void rescan();

 private:
  std::string cpu_directory_;
  SysFile online_;
  SysFile self_status_;
  BoundedList<std::uint16_t, kMaxCores> capacity_;
};

/// cpufreq. Cores that share a clock are read once.
class FrequencyProbe {
 public:
  explicit FrequencyProbe(const std::string& root);
  std::optional<CpuFrequency> sample();
  void rescan();

 private:
  struct Policy {
    CoreSet cores;
    std::uint32_t hardware_khz;
    SysFile current;
    SysFile limit;
  };
  std::string cpu_directory_;
  std::vector<Policy> policies_;
};

}  // namespace dofa::monitor
