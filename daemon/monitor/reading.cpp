// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/reading.hpp"

#include <algorithm>

namespace dofa::monitor {

std::string_view source_name(Source source) {
  switch (source) {
    case Source::kCpuTimes:
      return "cpu-times";
    case Source::kRunQueue:
      return "run-queue";
    case Source::kPressureCpu:
      return "pressure-cpu";
    case Source::kPressureMemory:
      return "pressure-memory";
    case Source::kPressureIo:
      return "pressure-io";
    case Source::kMemory:
      return "memory";
    case Source::kCgroup:
      return "cgroup";
    case Source::kTopology:
      return "topology";
    case Source::kFrequency:
      return "frequency";
    case Source::kThermal:
      return "thermal";
    case Source::kRapl:
      return "rapl";
    case Source::kRails:
      return "rails";
    case Source::kPowerSupply:
      return "power-supply";
    case Source::kGpuSysfs:
      return "gpu-sysfs";
    case Source::kTegrastats:
      return "tegrastats";
    case Source::kNvml:
      return "nvml";
  }
  return "unknown";
}

Validity judge_age(std::int64_t age_us, std::int64_t period_us) {
  constexpr std::int64_t kStalePeriods = 3;
  constexpr std::int64_t kAbsentPeriods = 30;
  constexpr std::int64_t kSoonestAbsentUs = 5'000'000;
  if (age_us <= kStalePeriods * period_us) return Validity::kFresh;
  return age_us <= std::max(kAbsentPeriods * period_us, kSoonestAbsentUs) ? Validity::kStale
                                                                          : Validity::kAbsent;
}

}  // namespace dofa::monitor
