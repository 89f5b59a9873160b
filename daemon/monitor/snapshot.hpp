// SPDX-License-Identifier: Apache-2.0
// Everything the monitor knows about the machine at one moment: a bounded, trivially copyable value. A part
// that the machine does not have, or that the service may not read, is absent (see Reading); a number that
// only some machines report inside a present part is an optional. Nothing here points anywhere; copy it
// freely.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "daemon/monitor/reading.hpp"
#include "daemon/monitor/tegrastats.hpp"
#include "daemon/monitor/values.hpp"

namespace dofa::monitor {

/// What watching costs, so that it can be shown and bounded.
struct SamplerCost {
  std::uint64_t ticks = 0;
  double last_tick_us = 0;  ///< CPU time of the latest sample
  double max_tick_us = 0;
  double cpu_fraction = 0;  ///< of one core, over about the last second; 0.01 is the promise
};

struct SourceState {
  std::int64_t period_us = 0;
  std::int64_t time_us = 0;  ///< last success; 0 = never
  Validity validity = Validity::kAbsent;
};

struct Snapshot {
  std::int64_t time_us = 0;    ///< of the tick that made it (CLOCK_MONOTONIC); 0 = none yet
  std::uint64_t sequence = 0;  ///< ticks so far
  Reading<CpuUse> cpu;
  Reading<RunQueueWait> run_queue;
  Reading<Pressure> pressure_cpu;
  Reading<Pressure> pressure_memory;
  Reading<Pressure> pressure_io;
  Reading<Memory> memory;
  Reading<Cgroup> cgroup;
  Reading<Topology> topology;
  Reading<CpuFrequency> frequency;
  Reading<ThermalZones> thermal;
  Reading<PowerRails> rapl;
  Reading<PowerRails> rails;
  Reading<PowerSupply> power_supply;
  Gpus gpus;
  Reading<TegrastatsLine> tegrastats;
  SamplerCost cost;
  std::array<SourceState, kSourceCount> sources{};
};

/// Judges every reading's age again as of `now_us`: a reader of an old snapshot must not believe it.
void refresh_validity(Snapshot& snapshot, std::int64_t now_us);

/// Hottest sensor that belongs to the CPU (by name; the hottest of all where none says so).
[[nodiscard]] std::optional<double> cpu_temperature_c(const Snapshot& snapshot);
/// Mean current frequency of the online cores whose frequency is known.
[[nodiscard]] std::optional<double> cpu_frequency_mhz(const Snapshot& snapshot);
/// What the machine draws: an input rail, else the battery that feeds it, else RAPL's psys or the sum of its
/// packages (which leaves out all but the processors). Other rails are parts and never passed off as the
/// whole.
[[nodiscard]] std::optional<double> board_power_mw(const Snapshot& snapshot);
/// Cores this process may really use: affinity within the online set, capped by the cgroup's quota.
[[nodiscard]] std::optional<double> usable_cores(const Snapshot& snapshot);

}  // namespace dofa::monitor
