// SPDX-License-Identifier: Apache-2.0
// What the kernel says about scarcity: pressure stall information, free memory, and the quota of our control
// group. `root` is a prefix before /proc and /sys, empty for the real machine. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/monitor/proc_parse.hpp"
#include "daemon/monitor/snapshot.hpp"
#include "daemon/monitor/sys_parse.hpp"
#include "daemon/monitor/sysfile.hpp"

namespace dofa::monitor {

/// One resource: "cpu", "memory" or "io". nullopt on the first call, too: there is no difference yet.
class PressureProbe {
 public:
  PressureProbe(const std::string& root, const std::string& resource)
      : file_(root + "/proc/pressure/" + resource) {}
  std::optional<Pressure> sample(std::int64_t now_us);

 private:
  SysFile file_;
  std::optional<PressureTotals> last_;
  std::int64_t last_us_ = 0;
};

class MemoryProbe {
 public:
  explicit MemoryProbe(const std::string& root) : file_(root + "/proc/meminfo") {}
  std::optional<Memory> sample(TextBuffer& buffer);

 private:
  SysFile file_;
};

/// Finds our group where systemd (unified, hybrid, legacy) and container runtimes put it.
class CgroupProbe {
 public:
  explicit CgroupProbe(const std::string& root);
  std::optional<Cgroup> sample(std::int64_t now_us);
  /// Looks up the group again: a service may be moved.
  void rescan();

 private:
  struct QuotaFiles {  // v2: `quota` is cpu.max and holds both numbers
    SysFile quota;
    std::optional<SysFile> period;
  };
  struct Counters {
    std::optional<std::uint64_t> usage_us;
    std::optional<std::uint64_t> throttled_us;
  };
  void use_unified(const std::string& mount, const std::string& path);
  void use_legacy(const CgroupPaths& paths);
  std::optional<Counters> read_counters();
  std::optional<double> smallest_quota();

  std::string root_;
  std::string self_cgroup_;  // its text at the last scan
  std::optional<SysFile> stat_;
  std::optional<SysFile> usage_ns_;  // v1 only
  std::vector<QuotaFiles> quotas_;   // from our group up to the root
  std::optional<Counters> last_;
  std::int64_t last_us_ = 0;
};

}  // namespace dofa::monitor
