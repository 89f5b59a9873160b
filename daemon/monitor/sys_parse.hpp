// SPDX-License-Identifier: Apache-2.0
// The texts of /sys that are more than one number: core lists and control-group files. Pure functions;
// nullopt where the text is not what it should be.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "daemon/monitor/bounded.hpp"

namespace dofa::monitor {

/// `0-3,5`: cpu/online, related_cpus (which separates by blanks), Cpus_allowed_list. Cores beyond kMaxCores
/// are left out.
[[nodiscard]] std::optional<CoreSet> parse_cpu_list(std::string_view text);

struct CgroupCpuStat {
  std::optional<std::uint64_t> usage_us;      ///< v2 only; v1 has it in cpuacct.usage
  std::optional<std::uint64_t> throttled_us;  ///< v2's throttled_usec, v1's throttled_time
};
/// cpu.stat of either version.
[[nodiscard]] CgroupCpuStat parse_cgroup_cpu_stat(std::string_view text);

/// Cores that a quota of `quota_us` per `period_us` amounts to; nullopt = unlimited (or nonsense).
[[nodiscard]] std::optional<double> quota_cores(std::int64_t quota_us, std::int64_t period_us);
/// cpu.max (v2), e.g. `150000 100000` = 1.5 cores; nullopt where it says `max` (or nonsense).
[[nodiscard]] std::optional<double> parse_cpu_max(std::string_view text);

}  // namespace dofa::monitor
