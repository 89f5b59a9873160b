// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/nvml.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace dofa::monitor {
namespace {

constexpr int kSuccess = 0;
constexpr int kErrorNotFound = 6;  // here: no new samples
constexpr int kClockSm = 1;        // NVML_CLOCK_SM
constexpr int kSensorGpu = 0;      // NVML_TEMPERATURE_GPU
constexpr double kMegabyte = 1024.0 * 1024.0;

template <class Function>
void resolve(void* library, const char* symbol, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, symbol));
}

// One number by one call, absent where the function or the answer is.
template <class Function, class... Selector>
std::optional<double> ask(Function function, NvmlApi::Device device, Selector... selector) {
  unsigned value = 0;
  if (function == nullptr || function(device, selector..., &value) != kSuccess) return std::nullopt;
  return value;
}

}  // namespace

Result<NvmlApi> load_nvml(const std::string& library) {
  void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return Error{ErrorCode::kNotFound, library + " cannot be loaded"};
  NvmlApi api;
  api.library = std::shared_ptr<void>(handle, [](void* opened) { ::dlclose(opened); });
  resolve(handle, "nvmlInit_v2", api.init);
  resolve(handle, "nvmlShutdown", api.shutdown);
  resolve(handle, "nvmlDeviceGetCount_v2", api.device_count);
  resolve(handle, "nvmlDeviceGetHandleByIndex_v2", api.device_by_index);
  resolve(handle, "nvmlDeviceGetName", api.name);
  resolve(handle, "nvmlDeviceGetPciInfo_v3", api.pci_info);
  resolve(handle, "nvmlDeviceGetUtilizationRates", api.utilization);
  resolve(handle, "nvmlDeviceGetProcessUtilization", api.process_utilization);
  resolve(handle, "nvmlDeviceGetMemoryInfo", api.memory);
  resolve(handle, "nvmlDeviceGetClockInfo", api.clock);
  resolve(handle, "nvmlDeviceGetMaxClockInfo", api.max_clock);
  resolve(handle, "nvmlDeviceGetPowerUsage", api.power);
  resolve(handle, "nvmlDeviceGetTemperature", api.temperature);
  if (api.init == nullptr || api.shutdown == nullptr || api.device_count == nullptr ||
      api.device_by_index == nullptr) {
    return Error{ErrorCode::kNotSupported, library + " lacks the functions of NVML"};
  }
  return api;
}

NvmlProbe::NvmlProbe(NvmlApi api, unsigned own_pid) : api_(std::move(api)), own_pid_(own_pid) {
  rescan();
}

NvmlProbe::~NvmlProbe() {
  if (initialised_) api_.shutdown();
}

void NvmlProbe::rescan() {
  if (!cards_.empty()) return;
  if (!initialised_) initialised_ = api_.init() == kSuccess;
  unsigned count = 0;
  if (!initialised_ || api_.device_count(&count) != kSuccess) return;
  for (unsigned i = 0; i < count && cards_.size() < kMaxGpus; ++i) {
    NvmlApi::Device device = nullptr;
    if (api_.device_by_index(i, &device) != kSuccess) continue;
    std::array<char, 96> name{};
    if (api_.name != nullptr) (void)api_.name(device, name.data(), name.size() - 1);
    Card card;
    card.device = device;
    card.name = name.data();
    NvmlPciInfo pci;
    if (api_.pci_info != nullptr && api_.pci_info(device, &pci) == kSuccess) {
      (void)std::snprintf(name.data(), name.size(), "%04x:%02x:%02x.0", pci.domain, pci.bus, pci.device);
      card.pci_address = name.data();
    }
    cards_.push_back(card);
  }
}

std::optional<NvmlGpus> NvmlProbe::sample(std::int64_t now_us) {
  NvmlGpus gpus;
  bool any = false;
  for (Card& card : cards_) {
    const NvmlGpu gpu = read(card, now_us);
    any = any || gpu.load || gpu.memory_used_mb || gpu.temperature_c;
    gpus.push_back(gpu);  // also without values: the place in the list is the card's number
  }
  if (any) return gpus;
  // A driver that answers nothing any more (reset, unloaded) must be met anew.
  cards_.clear();
  if (initialised_) api_.shutdown();
  initialised_ = false;
  return std::nullopt;
}

NvmlGpu NvmlProbe::read(Card& card, std::int64_t now_us) {
  NvmlGpu gpu;
  gpu.name = card.name;
  gpu.pci_address = card.pci_address;
  NvmlUtilization utilization;
  if (api_.utilization != nullptr && api_.utilization(card.device, &utilization) == kSuccess &&
      utilization.gpu <= 100) {
    gpu.load = utilization.gpu / 100.0;
    if (const auto own = own_load(card, now_us)) gpu.others_load = std::max(0.0, *gpu.load - *own);
  }
  NvmlMemory memory;
  if (api_.memory != nullptr && api_.memory(card.device, &memory) == kSuccess) {
    gpu.memory_used_mb = static_cast<double>(memory.used) / kMegabyte;
    gpu.memory_total_mb = static_cast<double>(memory.total) / kMegabyte;
  }
  gpu.frequency_mhz = ask(api_.clock, card.device, kClockSm);
  gpu.max_frequency_mhz = ask(api_.max_clock, card.device, kClockSm);
  gpu.power_mw = ask(api_.power, card.device);
  gpu.temperature_c = ask(api_.temperature, card.device, kSensorGpu);
  return gpu;
}

// Our newest share. The driver hands out each process's samples about once a second, so between two of them
// the last one holds; no sample for longer means that we were idle.
std::optional<double> NvmlProbe::own_load(Card& card, std::int64_t now_us) {
  constexpr std::int64_t kHoldsUs = 1'500'000;
  if (api_.process_utilization == nullptr) return std::nullopt;
  std::array<NvmlProcessSample, 256> samples{};
  unsigned count = samples.size();
  const int answer = api_.process_utilization(card.device, samples.data(), &count, card.last_sample_us);
  if (answer == kErrorNotFound) count = 0;
  if ((answer != kSuccess && answer != kErrorNotFound) || count > samples.size()) return std::nullopt;
  unsigned long long newest_us = 0;
  for (unsigned i = 0; i < count; ++i) {
    const NvmlProcessSample& sample = samples[i];
    card.last_sample_us = std::max(card.last_sample_us, sample.time_us);
    if (sample.pid != own_pid_ || sample.time_us < newest_us || sample.sm_percent > 100) continue;
    newest_us = sample.time_us;
    card.own_load = sample.sm_percent / 100.0;
    card.own_seen_us = now_us;
  }
  return now_us - card.own_seen_us <= kHoldsUs ? card.own_load : 0;
}

}  // namespace dofa::monitor
