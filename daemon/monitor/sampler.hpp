// SPDX-License-Identifier: Apache-2.0
// The whole monitor without its thread: one call of sample() reads every source that is due and brings the
// snapshot up to date. Time comes in as an argument, so tests need neither a clock nor patience. sample() and
// snapshot() belong to one thread; the rest may be called from any.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "daemon/monitor/core_probe.hpp"
#include "daemon/monitor/cpu_probe.hpp"
#include "daemon/monitor/gpu_probe.hpp"
#include "daemon/monitor/kernel_probe.hpp"
#include "daemon/monitor/nvml.hpp"
#include "daemon/monitor/options.hpp"
#include "daemon/monitor/power_probe.hpp"
#include "daemon/monitor/snapshot.hpp"
#include "daemon/monitor/tegrastats_process.hpp"
#include "daemon/monitor/thermal_probe.hpp"

namespace dofa::monitor {

class Sampler {
 public:
  explicit Sampler(const Options& options);

  /// `now_us` must not run backwards. Call it every `cpu_period_us`.
  void sample(std::int64_t now_us);
  [[nodiscard]] const Snapshot& snapshot() const { return snapshot_; }

  void add_worker(int tid) { run_queue_.add(tid); }
  void remove_worker(int tid) { run_queue_.remove(tid); }
  [[nodiscard]] std::vector<Event> drain_events();

 private:
  [[nodiscard]] SourceState& state(Source source) {
    return snapshot_.sources[static_cast<std::size_t>(source)];
  }
  void set_periods();
  bool due(Source source, std::int64_t now_us);
  void rescan(std::int64_t now_us);
  void sample_machine(std::int64_t now_us);
  void sample_board(std::int64_t now_us);
  void sample_gpus(std::int64_t now_us);
  template <class T, class Part>
  void take(Reading<T>& reading, Source source, const std::optional<Part>& value, std::int64_t now_us);
  void report_changes(std::int64_t now_us);
  void account(std::int64_t now_us, double tick_us);

  Options options_;
  std::string root_;  // a prefix: empty for the real machine
  std::unique_ptr<TextBuffer> buffer_ = std::make_unique<TextBuffer>();

  CpuProbe cpu_;
  RunQueueProbe run_queue_;
  PressureProbe pressure_cpu_;
  PressureProbe pressure_memory_;
  PressureProbe pressure_io_;
  MemoryProbe memory_;
  CgroupProbe cgroup_;
  TopologyProbe topology_;
  FrequencyProbe frequency_;
  ThermalProbe thermal_;
  RaplProbe rapl_;
  RailsProbe rails_;
  PowerSupplyProbe power_supply_;
  GpuSysfsProbe gpu_sysfs_;
  std::optional<TegrastatsProcess> tegrastats_;
  std::optional<NvmlProbe> nvml_;

  Snapshot snapshot_;
  Reading<GpuSysfs> gpu_sysfs_reading_;
  Reading<NvmlGpus> nvml_reading_;
  std::array<std::int64_t, kSourceCount> next_us_{};
  std::int64_t next_rescan_us_ = 0;

  struct Reported {
    bool present = false;
    std::int64_t time_us = INT64_MIN / 2;
  };
  std::array<Reported, kSourceCount> reported_;
  std::mutex events_mutex_;
  std::vector<Event> events_;

  std::int64_t account_start_us_ = 0;
  double account_cpu_us_ = 0;
};

}  // namespace dofa::monitor
