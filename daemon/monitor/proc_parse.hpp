// SPDX-License-Identifier: Apache-2.0
// The texts of /proc, as the kernel prints them (Linux 4.4 to 6.x), turned into numbers. Pure functions:
// nullopt where the text is not what it should be; a line cut off before its newline does not count.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/monitor/bounded.hpp"
#include "daemon/monitor/values.hpp"

namespace dofa::monitor {

/// CPU time in ticks of 1/sysconf(_SC_CLK_TCK) s since boot.
struct CpuTicks {
  std::uint64_t busy = 0;   ///< user, nice, system, irq, softirq
  std::uint64_t idle = 0;   ///< idle and iowait
  std::uint64_t steal = 0;  ///< run by the hypervisor for others
};

struct CoreTicks {
  bool online = false;
  CpuTicks ticks;
};

struct ProcStat {
  CpuTicks total;
  BoundedList<CoreTicks, kMaxCores> cores;  ///< by core number
  std::uint32_t online_count = 0;           ///< cores listed, also those beyond kMaxCores
  std::optional<std::uint32_t> runnable;    ///< procs_running
};
/// /proc/stat. Needs the `cpu` line.
[[nodiscard]] std::optional<ProcStat> parse_proc_stat(std::string_view text);

/// utime + stime of /proc/PID/stat, in ticks. The command name may hold any character, blanks and ')'
/// included.
[[nodiscard]] std::optional<std::uint64_t> parse_process_ticks(std::string_view text);

struct SchedStat {
  std::uint64_t run_ns = 0;
  std::uint64_t wait_ns = 0;  ///< runnable, but not running
};
/// /proc/PID/task/TID/schedstat.
[[nodiscard]] std::optional<SchedStat> parse_schedstat(std::string_view text);

struct PressureTotals {
  std::uint64_t some_us = 0;  ///< since boot
  std::uint64_t full_us = 0;  ///< 0 where the kernel has no such line (cpu before 5.13)
  double some_avg10 = 0;      ///< percent
};
/// /proc/pressure/{cpu,memory,io}.
[[nodiscard]] std::optional<PressureTotals> parse_pressure(std::string_view text);

/// /proc/meminfo.
[[nodiscard]] std::optional<Memory> parse_meminfo(std::string_view text);

/// Cpus_allowed_list of /proc/PID/status.
[[nodiscard]] std::optional<CoreSet> parse_allowed_cores(std::string_view status);

/// Where /proc/self/cgroup says we are.
struct CgroupPaths {
  std::optional<std::string> unified;  ///< v2
  std::optional<std::string> cpu;      ///< v1, below the hierarchy named next
  std::string cpu_hierarchy;           ///< e.g. "cpu,cpuacct"
  std::optional<std::string> cpuacct;
  std::string cpuacct_hierarchy;
};
/// Paths that try to climb out with ".." are refused: they name groups outside our namespace.
[[nodiscard]] CgroupPaths parse_self_cgroup(std::string_view text);

}  // namespace dofa::monitor
