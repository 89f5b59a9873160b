// SPDX-License-Identifier: Apache-2.0
// Temperatures: the kernel's thermal zones with the trip points that matter, and the CPU sensors of hwmon,
// which is all that many x86 servers have. `root` is a prefix before /sys, empty for the real machine. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/monitor/snapshot.hpp"
#include "daemon/monitor/sysfile.hpp"

namespace dofa::monitor {

/// Millidegrees in degrees; nullopt for what no machine survives, such as the -256000 of an unpowered sensor.
[[nodiscard]] std::optional<float> plausible_celsius(std::optional<std::int64_t> millidegrees);

class ThermalProbe {
 public:
  explicit ThermalProbe(const std::string& root);
  /// A zone that cannot be read right now (a GPU that is powered down) is left out.
  std::optional<ThermalZones> sample();
  void rescan();

 private:
  struct Sensor {
    ThermalZone zone;
    SysFile temperature;
  };
  void scan_zones();
  void scan_hwmon();

  std::string class_directory_;
  std::vector<Sensor> sensors_;
};

}  // namespace dofa::monitor
