// SPDX-License-Identifier: Apache-2.0
// What a reading is: a value, the time it was taken, where it came from, and whether it may still be
// believed. Plain values, no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dofa::monitor {

/// Where a reading comes from. Each source is optional, has a period of its own, and comes and goes by
/// itself.
enum class Source : std::uint8_t {
  kCpuTimes,        ///< /proc/stat, own CPU time
  kRunQueue,        ///< /proc/self/task/*/schedstat of the registered workers
  kPressureCpu,     ///< /proc/pressure/cpu
  kPressureMemory,  ///< /proc/pressure/memory
  kPressureIo,      ///< /proc/pressure/io
  kMemory,          ///< /proc/meminfo
  kCgroup,          ///< cpu.stat and cpu.max (v2), or their v1 counterparts, of our own group
  kTopology,        ///< online cores, affinity, capacity
  kFrequency,       ///< cpufreq
  kThermal,         ///< thermal zones and CPU sensors of hwmon
  kRapl,            ///< powercap energy counters
  kRails,           ///< INA3221 and other power monitors
  kPowerSupply,     ///< battery and mains
  kGpuSysfs,        ///< load and devfreq of an integrated GPU
  kTegrastats,      ///< lines of the tegrastats child process
  kNvml,            ///< NVIDIA's management library
};
inline constexpr std::size_t kSourceCount = 16;

/// The source's name in messages, JSON and D-Bus, e.g. "cpu-times".
[[nodiscard]] std::string_view source_name(Source source);

enum class Validity : std::uint8_t {
  kAbsent,  ///< never read, or not for so long that the value means nothing: ignore it
  kStale,   ///< older than three periods of its source: the last thing known
  kFresh,
};

/// A value as of `time_us` (CLOCK_MONOTONIC, microseconds).
template <class T>
struct Reading {
  T value{};
  std::int64_t time_us = 0;
  Source source{};
  Validity validity = Validity::kAbsent;

  [[nodiscard]] bool fresh() const { return validity == Validity::kFresh; }
  [[nodiscard]] bool present() const { return validity != Validity::kAbsent; }
};

/// What three periods of silence make of a reading: stale; after thirty (at least 5 s), absent. The second
/// limit is far away so that a short hiccup of the machine does not look like vanished hardware.
[[nodiscard]] Validity judge_age(std::int64_t age_us, std::int64_t period_us);

}  // namespace dofa::monitor
