// SPDX-License-Identifier: Apache-2.0
// The integrated GPU of a Jetson, through sysfs: the cheapest and quickest source, readable without rights.
// `root` is a prefix before /sys, empty for the real machine. Not thread-safe.
#pragma once

#include <optional>
#include <string>

#include "daemon/monitor/bounded.hpp"
#include "daemon/monitor/sysfile.hpp"

namespace dofa::monitor {

struct GpuSysfs {
  Name name;
  std::optional<double> load;  ///< 0..1
  std::optional<double> frequency_mhz;
  std::optional<double> max_frequency_mhz;  ///< what devfreq may use now
};

class GpuSysfsProbe {
 public:
  explicit GpuSysfsProbe(std::string root);
  /// nullopt where neither a load nor a frequency can be read.
  std::optional<GpuSysfs> sample();
  /// Looks for the GPU unless it is known already.
  void rescan();

 private:
  void find_devfreq();

  std::string root_;
  int searches_left_ =
      3;  // through /sys/devices: thousands of entries, and drivers that load late do so early on
  Name name_;
  std::optional<SysFile> load_;
  std::optional<SysFile> frequency_;
  std::optional<SysFile> max_frequency_;
};

}  // namespace dofa::monitor
