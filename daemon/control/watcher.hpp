// SPDX-License-Identifier: Apache-2.0
// What the runtime wants of the monitor, and nothing more: how slow to expect each processor, whether it is
// quiet, whether time jumped, and a few numbers to show. update() belongs to the control loop; the rest is
// thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/control/processors.hpp"
#include "daemon/monitor/monitor.hpp"

namespace dofa::control {

/// A GPU of the machine, whether or not it runs frames.
struct GpuReading {
  std::string name;
  std::string pci_address;            ///< "0000:01:00.0"; empty where unknown
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
  std::vector<GpuReading> gpus;         ///< those that run no frames
};

/// Which of `readings` is of this GPU: the one at its PCI address; else, among those without one, the first
/// of its name, or the only one there is. `readings.size()` where none is.
std::size_t find_reading(const engine::Gpu& gpu, const std::vector<GpuReading>& readings);

class Watcher {
 public:
  /// Watches below `root`.
  Watcher(const std::string& root, const Processors& processors);

  void add_worker(int tid) { monitor_.add_worker(tid); }

  struct Update {
    std::vector<double> expected_slowdown;  ///< by processor; NaN = no idea
    bool suspended = false;                 ///< the machine or the process stood still since the last update
  };
  /// Reads the newest snapshot and logs sources that came or went.
  Update update(std::int64_t now);

  [[nodiscard]] MachineReading reading() const;
  /// Of a processor that is a GPU; empty where the monitor knows nothing of it.
  [[nodiscard]] std::optional<GpuReading> gpu(std::uint32_t processor) const;
  /// As far as is known, nobody but us has wanted the processor for a second: a good time to measure.
  [[nodiscard]] bool quiet(std::uint32_t processor, std::int64_t now) const;

 private:
  monitor::Monitor monitor_;
  const Processors& processors_;
  std::int64_t updated_us_ = 0;
  std::int64_t boottime_offset_us_ = 0;
  mutable std::mutex mutex_;
  MachineReading reading_;
  std::vector<std::optional<GpuReading>> gpus_;  ///< by processor
  std::vector<std::int64_t>
      disturbed_us_;  ///< by processor: when somebody else last used it; 0 = not known yet
};

}  // namespace dofa::control
