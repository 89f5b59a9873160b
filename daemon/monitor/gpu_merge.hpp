// SPDX-License-Identifier: Apache-2.0
// Joins what several sources say about the machine's GPUs. Pure function.
#pragma once

#include <optional>

#include "daemon/monitor/gpu_probe.hpp"
#include "daemon/monitor/nvml.hpp"
#include "daemon/monitor/snapshot.hpp"

namespace dofa::monitor {

/// The integrated GPU first, if there is one (value by value from sysfs, else tegrastats, else NVML, with
/// temperature and power also from zones and rails called after the GPU), then NVML's cards in NVML's order.
/// Readings that are not present are left out; the parts' own times and sources are kept.
[[nodiscard]] Gpus merge_gpus(const Reading<GpuSysfs>& sysfs, const Reading<NvmlGpus>& nvml,
                              const Snapshot& rest);

}  // namespace dofa::monitor
