// SPDX-License-Identifier: Apache-2.0
// NVIDIA's management library, for discrete cards, opened at run time: the service neither links nor needs
// it. The functions are a table, so that tests can give their own. Declared after NVIDIA's NVML API
// reference. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/monitor/bounded.hpp"
#include "daemon/monitor/snapshot.hpp"

namespace dofa::monitor {

struct NvmlUtilization {  // nvmlUtilization_t, percent
  unsigned gpu = 0;
  unsigned memory = 0;
};
struct NvmlMemory {  // nvmlMemory_t, bytes
  unsigned long long total = 0;
  unsigned long long free = 0;
  unsigned long long used = 0;
};
struct NvmlPciInfo {  // nvmlPciInfo_t
  char legacy_address[16] = {};
  unsigned domain = 0;
  unsigned bus = 0;
  unsigned device = 0;
  unsigned device_id = 0;
  unsigned subsystem_id = 0;
  char address[32] = {};
};
struct NvmlProcessSample {  // nvmlProcessUtilizationSample_t
  unsigned pid = 0;
  unsigned long long time_us = 0;
  unsigned sm_percent = 0;
  unsigned memory_percent = 0;
  unsigned encoder_percent = 0;
  unsigned decoder_percent = 0;
};

/// The functions in use. Each returns 0 for success; those the library lacks are null and what they tell is
/// absent.
struct NvmlApi {
  using Device = void*;
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*device_count)(unsigned* count) = nullptr;
  int (*device_by_index)(unsigned index, Device* device) = nullptr;
  int (*name)(Device, char* name, unsigned length) = nullptr;
  int (*pci_info)(Device, NvmlPciInfo*) = nullptr;
  int (*utilization)(Device, NvmlUtilization*) = nullptr;
  int (*process_utilization)(Device, NvmlProcessSample*, unsigned* count,
                             unsigned long long after_us) = nullptr;
  int (*memory)(Device, NvmlMemory*) = nullptr;
  int (*clock)(Device, int type, unsigned* mhz) = nullptr;
  int (*max_clock)(Device, int type, unsigned* mhz) = nullptr;
  int (*power)(Device, unsigned* milliwatts) = nullptr;
  int (*temperature)(Device, int sensor, unsigned* celsius) = nullptr;
  std::shared_ptr<void> library;  ///< keeps the code loaded
};

/// kNotFound where there is no such library, kNotSupported where it lacks the basic functions.
[[nodiscard]] Result<NvmlApi> load_nvml(const std::string& library);

struct NvmlGpu {
  Name name;
  Name pci_address;                   ///< "0000:01:00.0"; empty where the driver does not tell
  std::optional<double> load;         ///< 0..1
  std::optional<double> others_load;  ///< without our own process; absent where the driver does not tell
  std::optional<double> frequency_mhz;
  std::optional<double> max_frequency_mhz;
  std::optional<double> temperature_c;
  std::optional<double> power_mw;
  std::optional<double> memory_used_mb;
  std::optional<double> memory_total_mb;
};
using NvmlGpus = BoundedList<NvmlGpu, kMaxGpus>;

class NvmlProbe {
 public:
  /// `own_pid` as the driver sees it: inside a container with its own process numbers our share goes to the
  /// others.
  NvmlProbe(NvmlApi api, unsigned own_pid);
  ~NvmlProbe();
  NvmlProbe(const NvmlProbe&) = delete;
  NvmlProbe& operator=(const NvmlProbe&) = delete;

  /// nullopt where no card can be read, e.g. without a driver.
  std::optional<NvmlGpus> sample(std::int64_t now_us);
  /// Tries again to reach the driver where no card is known.
  void rescan();

 private:
  struct Card {
    NvmlApi::Device device;
    Name name;
    Name pci_address;
    unsigned long long last_sample_us = 0;  // on the driver's clock
    double own_load = 0;
    std::int64_t own_seen_us = INT64_MIN / 2;
  };
  std::optional<double> own_load(Card& card, std::int64_t now_us);
  NvmlGpu read(Card& card, std::int64_t now_us);

  NvmlApi api_;
  unsigned own_pid_;
  bool initialised_ = false;
  std::vector<Card> cards_;
};

}  // namespace dofa::monitor
