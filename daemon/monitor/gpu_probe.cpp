// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/gpu_probe.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

namespace dofa::monitor {
namespace {

namespace fs = std::filesystem;

// How Tegra's GPUs are called in device names: `gpu.0`, `57000000.gpu`, `17000000.gv11b`, `gpu-gpc-0`.
bool is_gpu(std::string_view device) {
  constexpr std::array<std::string_view, 5> kUnits = {".gm20b", ".gp10b", ".gv11b", ".ga10b", ".gb10b"};
  return device.starts_with("gpu") || device.ends_with(".gpu") ||
         std::any_of(kUnits.begin(), kUnits.end(),
                     [&](std::string_view unit) { return device.ends_with(unit); });
}

// Branches of /sys/devices that hold no platform device: a PC's PCI tree alone has tens of thousands of
// entries.
bool leads_elsewhere(std::string_view name) {
  constexpr std::array<std::string_view, 7> kBranches = {"pci", "virtual", "system", "software",
                                                         "LNX", "pnp",     "cpu"};
  return std::any_of(kBranches.begin(), kBranches.end(),
                     [&](std::string_view branch) { return name.starts_with(branch); });
}

// The first directory below /sys/devices that is called like a GPU and has a file `load`. Links are not
// followed.
std::optional<fs::path> find_load(const fs::path& devices) {
  constexpr int kDeepest = 5;
  constexpr int kMostEntries = 20'000;  // no board comes near; bounds the time on a strange one
  int seen = 0;
  std::error_code error;
  fs::recursive_directory_iterator entry(devices, fs::directory_options::skip_permission_denied, error);
  for (; !error && entry != fs::recursive_directory_iterator() && ++seen < kMostEntries;
       entry.increment(error)) {
    std::error_code ignored;
    const std::string name = entry->path().filename().string();
    if (!entry->is_directory(ignored)) continue;
    if (is_gpu(name) && fs::is_regular_file(entry->path() / "load", ignored)) return entry->path();
    if (entry.depth() >= kDeepest || leads_elsewhere(name)) entry.disable_recursion_pending();
  }
  return std::nullopt;
}

std::optional<double> megahertz(std::optional<SysFile>& file) {
  const auto hertz = file ? file->read_integer() : std::nullopt;
  return hertz && *hertz >= 0 ? std::optional(static_cast<double>(*hertz) / 1e6) : std::nullopt;
}

}  // namespace

GpuSysfsProbe::GpuSysfsProbe(std::string root) : root_(std::move(root)) {
  rescan();
}

void GpuSysfsProbe::rescan() {
  if (load_ && load_->read_integer()) return;
  load_.reset();
  find_devfreq();
  if (load_ || searches_left_ == 0) return;
  --searches_left_;
  if (const auto device = find_load(root_ + "/sys/devices")) {
    if (!frequency_) name_ = device->filename().string();
    load_.emplace(*device / "load");
  }
}

void GpuSysfsProbe::find_devfreq() {
  frequency_.reset();
  max_frequency_.reset();
  const std::string devfreq = root_ + "/sys/class/devfreq/";
  for (const std::string& device : list_directory(devfreq)) {
    if (!is_gpu(device)) continue;
    name_ = device;
    frequency_.emplace(devfreq + device + "/cur_freq");
    max_frequency_.emplace(devfreq + device + "/max_freq");
    SysFile load(devfreq + device + "/device/load");
    if (load.read_integer()) load_ = std::move(load);
    return;
  }
}

std::optional<GpuSysfs> GpuSysfsProbe::sample() {
  GpuSysfs gpu;
  gpu.name = name_;
  constexpr std::int64_t kFull = 1000;  // the driver counts per mille
  const auto load = load_ ? load_->read_integer() : std::nullopt;
  if (load && *load >= 0 && *load <= kFull) gpu.load = static_cast<double>(*load) / kFull;
  gpu.frequency_mhz = megahertz(frequency_);
  gpu.max_frequency_mhz = megahertz(max_frequency_);
  return gpu.load || gpu.frequency_mhz ? std::optional(gpu) : std::nullopt;
}

}  // namespace dofa::monitor
