// SPDX-License-Identifier: Apache-2.0
// How the monitor watches, and the events it reports. Plain values.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/monitor/reading.hpp"

namespace dofa::monitor {

/// Periods are how often a source is read, in microseconds. They are fixed at construction.
struct Options {
  std::string root = "/";  ///< where /proc and /sys are looked for; another one makes a test or `--root DIR`

  std::int64_t cpu_period_us =
      50'000;  ///< CPU, run queue, pressure: early enough to act before a frame is late
  std::int64_t gpu_period_us = 100'000;
  std::int64_t memory_period_us = 200'000;
  std::int64_t frequency_period_us =
      500'000;  ///< one file a core, and on some x86 each read interrupts the core
  std::int64_t slow_period_us = 1'000'000;  ///< thermal, rails (I2C), RAPL, battery, topology, cgroup limits
  std::int64_t nvml_period_us = 200'000;    ///< its own counters are averaged over 1/6 to 1 s
  std::int64_t rescan_period_us = 10'000'000;  ///< looking for sensors that have appeared

  bool tegrastats_enabled = true;                       ///< used where the program exists
  std::string tegrastats_path = "/usr/bin/tegrastats";  ///< taken as it stands, not below `root`
  std::int64_t tegrastats_interval_us = 1'000'000;

  bool nvml_enabled = true;
  std::string nvml_library = "libnvidia-ml.so.1";  ///< a name for dlopen, or a path
};

/// A source came or went.
struct Event {
  std::int64_t time_us = 0;
  Source source{};
  bool came = false;
  std::string detail;  ///< one line for the log where there is more to say, e.g. how tegrastats died
};

}  // namespace dofa::monitor
