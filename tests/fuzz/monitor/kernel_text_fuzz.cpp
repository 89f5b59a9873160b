// SPDX-License-Identifier: Apache-2.0
// Every parser of /proc and /sys texts; the first byte chooses.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "daemon/monitor/cpu_probe.hpp"
#include "daemon/monitor/power_probe.hpp"
#include "daemon/monitor/proc_parse.hpp"
#include "daemon/monitor/sys_parse.hpp"
#include "daemon/monitor/text.hpp"
#include "daemon/monitor/thermal_probe.hpp"

using namespace dofa::monitor;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

// Two /proc/stat texts, one after the other: shares stay shares whatever the counters do.
void check_stat(std::string_view text) {
  const std::size_t middle = text.find('\0');
  const auto before = parse_proc_stat(text.substr(0, middle));
  const auto after = parse_proc_stat(middle == std::string_view::npos ? text : text.substr(middle + 1));
  if (!before || !after) return;
  const CpuUse use = cpu_use({1, 0, *before}, {50'001, 60'000, *after});
  require(use.busy_cores >= 0 && use.busy_cores <= use.cores + 1e-6);
  require(use.others_cores >= 0 && use.others_cores <= use.busy_cores);
  for (const float busy : use.core_busy) require(busy == -1 || (busy >= 0 && busy <= 1));
}

void check_meminfo(std::string_view text) {
  const auto memory = parse_meminfo(text);
  require(!memory || (memory->total_kb >= 0 && memory->available_kb >= 0));
}

void check_cgroup(std::string_view text) {
  const CgroupPaths paths = parse_self_cgroup(text);
  for (const auto& path : {paths.unified, paths.cpu, paths.cpuacct}) {
    require(!path || (path->starts_with('/') && path->find("..") == std::string::npos));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 12) {
    case 0:
      check_stat(text);
      break;
    case 1:
      (void)parse_process_ticks(text);
      break;
    case 2:
      (void)parse_schedstat(text);
      break;
    case 3:
      (void)parse_pressure(text);
      break;
    case 4:
      check_meminfo(text);
      break;
    case 5:
      (void)parse_allowed_cores(text);
      break;
    case 6:
      check_cgroup(text);
      break;
    case 7:
      (void)parse_cgroup_cpu_stat(text);
      break;
    case 8:
      require(parse_cpu_max(text).value_or(1) > 0);
      break;
    case 9: {
      const auto cores = parse_cpu_list(text);
      require(!cores || cores->any());
      break;
    }
    case 10: {
      const auto celsius = plausible_celsius(parse_integer(text));
      require(!celsius || (*celsius >= -100 && *celsius <= 250));
      break;
    }
    default: {
      const auto used_uj = energy_used_uj(parse_integer(text).value_or(0), 5, 1'000'000);
      require(!used_uj || *used_uj >= 0);
    }
  }
  return 0;
}
