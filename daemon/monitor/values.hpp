// SPDX-License-Identifier: Apache-2.0
// What each source gives: bounded, trivially copyable values, the parts of a Snapshot. A number that only
// some machines report is an optional. No state.
#pragma once

#include <cstdint>
#include <optional>

#include "daemon/monitor/bounded.hpp"
#include "daemon/monitor/reading.hpp"

namespace dofa::monitor {

inline constexpr std::size_t kMaxZones = 32;
inline constexpr std::size_t kMaxRails = 32;
inline constexpr std::size_t kMaxGpus = 4;

/// CPU time spent over the last two sampling periods. /proc/stat counts 10 ms ticks, so one period of 50 ms
/// would be off by a fifth; two still show a new hog within 150 ms.
struct CpuUse {
  std::int64_t window_us = 0;
  double cores = 0;         ///< online, as /proc/stat lists them
  double busy_cores = 0;    ///< running anything, 0..cores; time stolen by a hypervisor is not in it
  double own_cores = 0;     ///< of these, this process
  double others_cores = 0;  ///< of these, everyone else: max(0, busy - own)
  double steal_cores = 0;   ///< taken by the hypervisor
  std::optional<std::uint32_t> runnable;    ///< threads running or waiting, ourselves included
  BoundedList<float, kMaxCores> core_busy;  ///< busy fraction by core number; -1 where offline
};

/// How long the registered worker threads sat on a run queue since the last tick: the best single predictor
/// of interference found (rank correlation 0.83 with the slowdown).
struct RunQueueWait {
  std::int64_t window_us = 0;
  std::int64_t wait_us = 0;  ///< summed over the threads, may exceed the window
  std::uint32_t threads = 0;
};

/// Pressure stall information: the part of the window in which some (or all) tasks waited for the resource.
struct Pressure {
  std::int64_t window_us = 0;
  std::int64_t some_us = 0;  ///< of the window, from the exact `total=` counter
  std::int64_t full_us = 0;
  double some_avg10 = 0;  ///< the kernel's own 10 s average, percent
};

/// From /proc/meminfo.
struct Memory {
  std::int64_t total_kb = 0;
  std::int64_t available_kb = 0;  ///< MemAvailable, or free + buffers + cached on kernels without it
  std::int64_t swap_total_kb = 0;
  std::int64_t swap_free_kb = 0;
};

/// Our own control group.
struct Cgroup {
  std::int64_t window_us = 0;
  std::optional<double> used_cores;          ///< over the window, all processes of the group
  std::optional<std::int64_t> throttled_us;  ///< of the window, held back by the quota (summed over cores)
  std::optional<double> quota_cores;         ///< smallest quota on the way to the root; none = unlimited
};

/// Which cores there are, and which are ours to use.
struct Topology {
  CoreSet online;
  CoreSet allowed;                                 ///< affinity of this process; all online where unknown
  BoundedList<std::uint16_t, kMaxCores> capacity;  ///< 0..1024 by core (big.LITTLE); often empty
};

struct CoreFrequency {
  std::uint32_t current_khz = 0;  ///< 0 = unknown, in all of these
  std::uint32_t limit_khz = 0;    ///< what the governor may use now (scaling_max_freq: thermal caps lower it)
  std::uint32_t hardware_khz = 0;  ///< what the core can do (cpuinfo_max_freq)
};
using CpuFrequency = BoundedList<CoreFrequency, kMaxCores>;

struct ThermalZone {
  Name name;
  float celsius = 0;
  std::optional<float> passive_c;   ///< from here the kernel throttles (lowest passive trip point)
  std::optional<float> critical_c;  ///< here it shuts down
};
using ThermalZones = BoundedList<ThermalZone, kMaxZones>;

struct PowerRail {
  Name name;
  double milliwatts = 0;
};
using PowerRails = BoundedList<PowerRail, kMaxRails>;

struct PowerSupply {
  std::optional<bool> mains_online;
  std::optional<double> battery_percent;
  std::optional<double> battery_mw;  ///< flowing out of the battery; negative while it charges
};

/// One GPU, its values from the best source that has them: sysfs, then tegrastats, then NVML.
struct Gpu {
  Name name;
  Name pci_address;             ///< "0000:01:00.0"; empty where the source does not tell
  Reading<double> load;         ///< 0..1, everyone
  Reading<double> others_load;  ///< 0..1, other processes; absent where the driver does not tell
  Reading<double> frequency_mhz;
  Reading<double> max_frequency_mhz;
  Reading<double> temperature_c;
  Reading<double> power_mw;
  Reading<double> memory_used_mb;
  Reading<double> memory_total_mb;
};
using Gpus = BoundedList<Gpu, kMaxGpus>;

}  // namespace dofa::monitor
