// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/snapshot.hpp"

#include <algorithm>
#include <type_traits>

namespace dofa::monitor {
namespace {

static_assert(std::is_trivially_copyable_v<Snapshot>, "published by copying its bytes");

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool contains_word(std::string_view text, std::string_view lower_word) {
  const auto same = [](char left, char right) { return lower(left) == right; };
  return std::search(text.begin(), text.end(), lower_word.begin(), lower_word.end(), same) != text.end();
}

bool belongs_to_cpu(const ThermalZone& zone) {
  for (const std::string_view word : {"cpu", "x86_pkg", "package", "tctl", "tdie", "coretemp", "k10temp"}) {
    if (contains_word(zone.name.view(), word)) return true;
  }
  return false;
}

// Input rails measure the whole board: VDD_IN, POM_5V_IN, VIN; VIN_SYS_5V0 and the like only feed a part of
// it.
bool is_board_input(std::string_view rail) {
  return rail == "VIN" || rail.ends_with("_IN");
}

}  // namespace

void refresh_validity(Snapshot& snapshot, std::int64_t now_us) {
  for (SourceState& state : snapshot.sources) {
    state.validity =
        state.time_us == 0 ? Validity::kAbsent : judge_age(now_us - state.time_us, state.period_us);
  }
  const auto refresh = [&](auto& reading) {
    const SourceState& source = snapshot.sources[static_cast<std::size_t>(reading.source)];
    reading.validity =
        reading.time_us == 0 ? Validity::kAbsent : judge_age(now_us - reading.time_us, source.period_us);
  };
  refresh(snapshot.cpu);
  refresh(snapshot.run_queue);
  refresh(snapshot.pressure_cpu);
  refresh(snapshot.pressure_memory);
  refresh(snapshot.pressure_io);
  refresh(snapshot.memory);
  refresh(snapshot.cgroup);
  refresh(snapshot.topology);
  refresh(snapshot.frequency);
  refresh(snapshot.thermal);
  refresh(snapshot.rapl);
  refresh(snapshot.rails);
  refresh(snapshot.power_supply);
  refresh(snapshot.tegrastats);
  for (Gpu& gpu : snapshot.gpus) {
    for (auto* reading : {&gpu.load, &gpu.others_load, &gpu.frequency_mhz, &gpu.max_frequency_mhz,
                          &gpu.temperature_c, &gpu.power_mw, &gpu.memory_used_mb, &gpu.memory_total_mb}) {
      refresh(*reading);
    }
  }
}

std::optional<double> cpu_temperature_c(const Snapshot& snapshot) {
  if (!snapshot.thermal.present()) return std::nullopt;
  std::optional<double> of_cpu;
  std::optional<double> of_any;
  for (const ThermalZone& zone : snapshot.thermal.value) {
    const double celsius = zone.celsius;
    of_any = std::max(of_any.value_or(celsius), celsius);
    if (belongs_to_cpu(zone)) of_cpu = std::max(of_cpu.value_or(celsius), celsius);
  }
  return of_cpu ? of_cpu : of_any;
}

std::optional<double> cpu_frequency_mhz(const Snapshot& snapshot) {
  if (!snapshot.frequency.present()) return std::nullopt;
  double sum_khz = 0;
  int known = 0;
  for (std::size_t core = 0; core < snapshot.frequency.value.size(); ++core) {
    const bool offline = snapshot.topology.present() && !snapshot.topology.value.online.test(core);
    const std::uint32_t khz = snapshot.frequency.value[core].current_khz;
    if (offline || khz == 0) continue;
    sum_khz += khz;
    ++known;
  }
  return known > 0 ? std::optional(sum_khz / known / 1000) : std::nullopt;
}

std::optional<double> board_power_mw(const Snapshot& snapshot) {
  if (snapshot.rails.present()) {
    for (const PowerRail& rail : snapshot.rails.value) {
      if (is_board_input(rail.name.view())) return rail.milliwatts;
    }
  }
  if (snapshot.tegrastats.present()) {
    for (const TegrastatsRail& rail : snapshot.tegrastats.value.rails) {
      if (is_board_input(rail.name.view())) return rail.now_mw;
    }
  }
  if (snapshot.power_supply.present() && snapshot.power_supply.value.battery_mw.value_or(0) > 0) {
    return snapshot.power_supply.value.battery_mw;  // on battery everything comes out of it
  }
  if (!snapshot.rapl.present()) return std::nullopt;
  std::optional<double> packages;
  for (const PowerRail& rail : snapshot.rapl.value) {
    if (rail.name.view() == "psys") return rail.milliwatts;
    if (rail.name.view().starts_with("package")) packages = packages.value_or(0) + rail.milliwatts;
  }
  return packages;
}

std::optional<double> usable_cores(const Snapshot& snapshot) {
  if (!snapshot.topology.present()) return std::nullopt;
  const Topology& topology = snapshot.topology.value;
  auto cores = static_cast<double>((topology.online & topology.allowed).count());
  if (snapshot.cgroup.present() && snapshot.cgroup.value.quota_cores) {
    cores = std::min(cores, *snapshot.cgroup.value.quota_cores);
  }
  return cores;
}

}  // namespace dofa::monitor
