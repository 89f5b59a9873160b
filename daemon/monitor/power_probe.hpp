// SPDX-License-Identifier: Apache-2.0
// Power: RAPL energy counters, the rails of INA power monitors (hwmon, and the older iio driver of L4T),
// battery and mains. `root` is a prefix before /sys, empty for the real machine. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/monitor/snapshot.hpp"
#include "daemon/monitor/sysfile.hpp"

namespace dofa::monitor {

/// Microjoules between two readings of a counter that wraps to 0 after `range_uj` (0 = unknown: a wrap gives
/// nullopt).
[[nodiscard]] std::optional<std::int64_t> energy_used_uj(std::int64_t before_uj, std::int64_t after_uj,
                                                         std::int64_t range_uj);

/// powercap. Readable by root only unless the administrator allows more.
class RaplProbe {
 public:
  explicit RaplProbe(const std::string& root);
  /// nullopt on the first call, too: there is no difference yet.
  std::optional<PowerRails> sample(std::int64_t now_us);
  void rescan();

 private:
  struct Domain {
    Name name;
    std::int64_t range_uj;
    SysFile energy;
    std::optional<std::int64_t> last_uj;
  };
  std::string directory_;
  std::vector<std::string> entries_;
  std::vector<Domain> domains_;
  std::int64_t last_us_ = 0;
};

/// Each read is an I2C transfer of a fraction of a millisecond: at most once a second.
class RailsProbe {
 public:
  explicit RailsProbe(std::string root);
  std::optional<PowerRails> sample();
  void rescan();

 private:
  struct Rail {
    Name name;
    double scale;  // to milliwatts
    SysFile power_or_current;
    std::optional<SysFile> voltage;  // in millivolts, where the chip has no power of its own
  };
  void scan_hwmon(const std::string& directory);
  void scan_iio(const std::string& directory);

  std::string root_;
  std::vector<Rail> rails_;
};

class PowerSupplyProbe {
 public:
  explicit PowerSupplyProbe(const std::string& root) : directory_(root + "/sys/class/power_supply") {}
  std::optional<PowerSupply> sample();

 private:
  std::string directory_;
};

}  // namespace dofa::monitor
