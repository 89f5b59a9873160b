// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/sys_parse.hpp"

#include "daemon/monitor/text.hpp"

namespace dofa::monitor {

std::optional<CoreSet> parse_cpu_list(std::string_view text) {
  CoreSet cores;
  Scanner scan(trimmed(text));
  while (!scan.done()) {
    const auto first = scan.unsigned_number();
    auto last = first;
    if (first && scan.eat("-")) last = scan.unsigned_number();
    if (!first || !last || *last < *first) return std::nullopt;
    for (std::uint64_t core = *first; core <= *last && core < kMaxCores; ++core) cores.set(core);
    if (scan.done()) break;
    if (!scan.eat(",") && !is_blank(scan.peek())) return std::nullopt;
    scan.skip_blanks();
  }
  return cores.any() ? std::optional(cores) : std::nullopt;
}

CgroupCpuStat parse_cgroup_cpu_stat(std::string_view text) {
  CgroupCpuStat stat;
  Scanner scan(text);
  while (const auto line = scan.full_line()) {
    Scanner words(*line);
    const std::string_view key = words.word();
    words.skip_blanks();
    const auto value = words.unsigned_number();
    if (!value || !words.done()) continue;
    if (key == "usage_usec") stat.usage_us = value;
    if (key == "throttled_usec") stat.throttled_us = value;
    if (key == "throttled_time") stat.throttled_us = *value / 1000;  // v1 counts nanoseconds
  }
  return stat;
}

std::optional<double> quota_cores(std::int64_t quota_us, std::int64_t period_us) {
  if (quota_us <= 0 || period_us <= 0) return std::nullopt;  // v1 says -1 for unlimited
  return static_cast<double>(quota_us) / static_cast<double>(period_us);
}

std::optional<double> parse_cpu_max(std::string_view text) {
  Scanner scan(trimmed(text));
  const auto quota = scan.signed_number();
  scan.skip_blanks();
  const auto period = scan.signed_number();
  if (!quota || !period || !scan.done()) return std::nullopt;
  return quota_cores(*quota, *period);
}

}  // namespace dofa::monitor
