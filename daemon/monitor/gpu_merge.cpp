// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/gpu_merge.hpp"

namespace dofa::monitor {
namespace {

// Takes a value where none is known yet: sources are asked from the best to the last.
template <class Part>
void fill(Reading<double>& place, const Reading<Part>& part, const std::optional<double>& value) {
  if (place.present() || !part.present() || !value) return;
  place = {*value, part.time_us, part.source, part.validity};
}

// NVML knows a Jetson's own GPU as well, under names such as "Orin (nvgpu)" and "NVIDIA Thor".
bool is_integrated(const NvmlGpu& gpu) {
  for (const std::string_view word : {"nvgpu", "Thor", "Tegra", "Orin", "Xavier"}) {
    if (gpu.name.view().find(word) != std::string_view::npos) return true;
  }
  return false;
}

void fill_from_card(Gpu& gpu, const Reading<NvmlGpus>& nvml, const NvmlGpu& card) {
  fill(gpu.load, nvml, card.load);
  fill(gpu.others_load, nvml, card.others_load);
  fill(gpu.frequency_mhz, nvml, card.frequency_mhz);
  fill(gpu.max_frequency_mhz, nvml, card.max_frequency_mhz);
  fill(gpu.temperature_c, nvml, card.temperature_c);
  fill(gpu.power_mw, nvml, card.power_mw);
  fill(gpu.memory_used_mb, nvml, card.memory_used_mb);
  fill(gpu.memory_total_mb, nvml, card.memory_total_mb);
}

// Rails that feed the GPU alone; VDD_GPU_SOC, VDD_CPU_GPU_CV and the like feed more.
bool is_gpu_rail(std::string_view rail) {
  return rail == "GPU" || rail == "VDD_GPU" || rail == "POM_5V_GPU";
}
bool is_gpu_sensor(std::string_view sensor) {
  return sensor.starts_with("GPU") || sensor.starts_with("gpu");  // GPU-therm, gpu-thermal, GPU, gpu
}

void fill_from_rest(Gpu& gpu, const Snapshot& rest) {
  for (const ThermalZone& zone : rest.thermal.value) {
    if (is_gpu_sensor(zone.name.view())) fill(gpu.temperature_c, rest.thermal, zone.celsius);
  }
  for (const PowerRail& rail : rest.rails.value) {
    if (is_gpu_rail(rail.name.view())) fill(gpu.power_mw, rest.rails, rail.milliwatts);
  }
  const Reading<TegrastatsLine>& line = rest.tegrastats;
  for (const TegrastatsTemperature& temperature : line.value.temperatures) {
    if (is_gpu_sensor(temperature.name.view())) fill(gpu.temperature_c, line, temperature.celsius);
  }
  for (const TegrastatsRail& rail : line.value.rails) {
    if (is_gpu_rail(rail.name.view())) fill(gpu.power_mw, line, rail.now_mw);
  }
}

}  // namespace

Gpus merge_gpus(const Reading<GpuSysfs>& sysfs, const Reading<NvmlGpus>& nvml, const Snapshot& rest) {
  Gpus gpus;
  const bool line_has_gpu = rest.tegrastats.present() && rest.tegrastats.value.gpu;
  const bool integrated = sysfs.present() || line_has_gpu;
  if (integrated) {
    Gpu gpu;
    gpu.name = sysfs.present() ? sysfs.value.name : "gpu";
    fill(gpu.load, sysfs, sysfs.value.load);
    fill(gpu.frequency_mhz, sysfs, sysfs.value.frequency_mhz);
    fill(gpu.max_frequency_mhz, sysfs, sysfs.value.max_frequency_mhz);
    if (line_has_gpu) {
      const TegrastatsEngine& engine = *rest.tegrastats.value.gpu;
      if (engine.load_percent) fill(gpu.load, rest.tegrastats, *engine.load_percent / 100);
      fill(gpu.frequency_mhz, rest.tegrastats, engine.frequency_mhz());
    }
    fill_from_rest(gpu, rest);
    gpus.push_back(gpu);
  }
  for (const NvmlGpu& card : nvml.value) {
    if (!nvml.present()) break;
    if (integrated && is_integrated(card)) {
      fill_from_card(gpus[0], nvml, card);
      continue;
    }
    Gpu gpu;
    gpu.name = card.name;
    gpu.pci_address = card.pci_address;
    fill_from_card(gpu, nvml, card);
    gpus.push_back(gpu);
  }
  return gpus;
}

}  // namespace dofa::monitor
