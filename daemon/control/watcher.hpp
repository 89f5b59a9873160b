// SPDX-License-Identifier: Apache-2.0
// What the runtime wants of the monitor, and nothing more: how slow to expect the CPU, whether the machine is quiet, whether
// time jumped, and a few numbers to show. update() belongs to the control loop; the rest is thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/monitor/monitor.hpp"

namespace dofa::control {

/// A GPU of the machine, whether or not it runs frames.
struct GpuReading {
  std::string name;
  std::optional<double> load;         ///< 0..1, everyone
  std::optional<double> others_load;  ///< 0..1, without dofad
  std::optional<double> frequency_mhz;
  std::optional<double> temperature_celsius;
  std::optional<double> power_watts;
};

/// For people: each present only where the machine tells.
struct MachineReading {
  std::optional<double> load;         ///< 0..1, everything on the machine
  std::optional<double> others_load;  ///< 0..1, without dofad
  std::optional<double> frequency_mhz;
  std::optional<double> temperature_celsius;
  std::optional<double> power_watts;    ///< what the board draws
  std::optional<double> sampler_share;  ///< of one core: what watching costs
  std::vector<GpuReading> gpus;
};

class Watcher {
 public:
  /// Watches below `root`; `lanes` threads of ours run frames.
  Watcher(const std::string& root, std::uint32_t lanes);

  void add_worker(int tid) { monitor_.add_worker(tid); }

  struct Update {
    double expected_slowdown = 1.0;  ///< NaN = no idea
    bool suspended = false;          ///< the machine or the process stood still since the last update
  };
  /// Reads the newest snapshot and logs sources that came or went.
  Update update(std::int64_t now);

  [[nodiscard]] MachineReading reading() const;
  /// Nobody but us has wanted the CPU for a second: a good time to measure.
  [[nodiscard]] bool quiet(std::int64_t now) const;

 private:
  monitor::Monitor monitor_;
  const std::uint32_t lanes_;
  std::int64_t updated_us_ = 0;
  std::int64_t boottime_offset_us_ = 0;
  mutable std::mutex mutex_;
  MachineReading reading_;
  std::int64_t disturbed_us_ = 0;  ///< when somebody else last used the CPU
};

}  // namespace dofa::control
