// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/core_probe.hpp"

#include <algorithm>

#include "daemon/monitor/proc_parse.hpp"
#include "daemon/monitor/text.hpp"

namespace dofa::monitor {
namespace {

// A service may hold 1024 descriptors, and a large server has a clock of its own for each of several hundred
// cores.
constexpr std::size_t kKeptOpen = 64;

// Core numbers that have a directory cpuN.
CoreSet cores_with_directory(const std::string& cpu_directory) {
  CoreSet cores;
  for (const std::string& name : list_directory(cpu_directory)) {
    Scanner scan(name);
    if (!scan.eat("cpu")) continue;
    const auto core = scan.unsigned_number();
    if (core && scan.done() && *core < kMaxCores) cores.set(*core);
  }
  return cores;
}

std::uint32_t kilohertz(std::optional<std::int64_t> value) {
  return value && *value > 0 && *value <= UINT32_MAX ? static_cast<std::uint32_t>(*value) : 0;
}

}  // namespace

TopologyProbe::TopologyProbe(const std::string& root)
    : cpu_directory_(root + "/sys/devices/system/cpu"),
      online_(cpu_directory_ + "/online"),
      self_status_(root + "/proc/self/status") {
  rescan();
}

void TopologyProbe::rescan() {
  constexpr std::int64_t kFullCapacity = 1024;
  capacity_.clear();
  const CoreSet cores = cores_with_directory(cpu_directory_);
  for (std::size_t core = 0; core < kMaxCores; ++core) {
    if (!cores.test(core)) continue;
    const auto value = read_integer(cpu_directory_ + "/cpu" + std::to_string(core) + "/cpu_capacity");
    if (!value || *value < 0 || *value > kFullCapacity) continue;
    if (core >= capacity_.size()) capacity_.resize(core + 1);
    capacity_[core] = static_cast<std::uint16_t>(*value);
  }
}

std::optional<Topology> TopologyProbe::sample(TextBuffer& buffer) {
  const auto online_text = online_.read(buffer);
  const auto online = online_text ? parse_cpu_list(*online_text) : std::nullopt;
  if (!online) return std::nullopt;
  const auto status = self_status_.read(buffer);
  const auto allowed = status ? parse_allowed_cores(*status) : std::nullopt;
  return Topology{*online, allowed.value_or(*online), capacity_};
}

FrequencyProbe::FrequencyProbe(const std::string& root) : cpu_directory_(root + "/sys/devices/system/cpu") {
  rescan();
}

void FrequencyProbe::rescan() {
  policies_.clear();
  CoreSet left = cores_with_directory(cpu_directory_);
  for (std::size_t core = 0; core < kMaxCores; ++core) {
    if (!left.test(core)) continue;
    const std::string directory = cpu_directory_ + "/cpu" + std::to_string(core) + "/cpufreq/";
    SysFile current(directory + "scaling_cur_freq");
    if (!current.read_integer()) continue;
    CoreSet cores = parse_cpu_list(read_text(directory + "related_cpus").value_or("")).value_or(CoreSet());
    cores.set(core);
    left &= ~cores;
    policies_.push_back({cores, kilohertz(read_integer(directory + "cpuinfo_max_freq")), std::move(current),
                         SysFile(directory + "scaling_max_freq")});
  }
}

std::optional<CpuFrequency> FrequencyProbe::sample() {
  CpuFrequency frequencies;
  for (Policy& policy : policies_) {
    const CoreFrequency frequency{kilohertz(policy.current.read_integer()),
                                  kilohertz(policy.limit.read_integer()), policy.hardware_khz};
    if (policies_.size() > kKeptOpen) {
      policy.current.close();
      policy.limit.close();
    }
    if (frequency.current_khz == 0) continue;  // the core went offline
    for (std::size_t core = 0; core < kMaxCores; ++core) {
      if (!policy.cores.test(core)) continue;
      if (core >= frequencies.size()) frequencies.resize(core + 1);
      frequencies[core] = frequency;
    }
  }
  return frequencies.empty() ? std::nullopt : std::optional(frequencies);
}

}  // namespace dofa::monitor
