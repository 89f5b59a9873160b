// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/watcher.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <ctime>
#include <limits>

#include "daemon/control/clock.hpp"
#include "daemon/policy/slowdown.hpp"

namespace dofa::control {
namespace {

constexpr std::int64_t kStoodStillUs = 2'000'000;  // far beyond any scheduling delay of a 50 ms loop
constexpr std::int64_t kClockJumpUs = 100'000;     // BOOTTIME runs on during a suspend, MONOTONIC does not
constexpr std::int64_t kQuietForUs = 1'000'000;
constexpr double kQuietOthers = 0.1;  // of a core: what an idle desktop or board uses in passing

std::int64_t boottime_offset_us() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1'000'000LL + now.tv_nsec / 1000 - now_us();
}

monitor::Options options_for(const std::string& root) {
  monitor::Options options;
  options.root = root;
  return options;
}

GpuReading reading_of(const monitor::Gpu& gpu) {
  const auto known = [](const monitor::Reading<double>& reading) {
    return reading.present() ? std::optional(reading.value) : std::nullopt;
  };
  GpuReading out{std::string(gpu.name.view()),
                 std::string(gpu.pci_address.view()),
                 known(gpu.load),
                 known(gpu.others_load),
                 known(gpu.frequency_mhz),
                 known(gpu.temperature_c),
                 known(gpu.power_mw)};
  if (out.power_watts) *out.power_watts /= 1000;
  return out;
}

double expected_slowdown(const monitor::Snapshot& snapshot, const Processors& processors) {
  if (!snapshot.cpu.fresh() || !snapshot.cpu.value.runnable || !snapshot.run_queue.fresh()) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const monitor::CpuUse& cpu = snapshot.cpu.value;
  policy::CpuPressure pressure;
  pressure.own_threads = processors[kCpu].lanes;
  pressure.cores = std::max(1.0, cpu.cores);
  // The sampler sees itself and our workers among the runnable.
  const double ours = 1.0 + std::min<double>(processors.lane_count(), cpu.own_cores);
  pressure.runnable_others = std::max(0.0, static_cast<double>(*cpu.runnable) - ours);
  pressure.own_cpu_us = cpu.own_cores * static_cast<double>(cpu.window_us);
  const double scale = static_cast<double>(cpu.window_us) /
                       std::max<double>(1.0, static_cast<double>(snapshot.run_queue.value.window_us));
  pressure.own_wait_us = static_cast<double>(snapshot.run_queue.value.wait_us) * scale;
  return policy::expected_cpu_slowdown(pressure);
}

}  // namespace

std::size_t find_reading(const engine::Gpu& gpu, const std::vector<GpuReading>& readings) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  const auto find = [&](auto&& matches) {
    return static_cast<std::size_t>(std::find_if(readings.begin(), readings.end(), matches) -
                                    readings.begin());
  };
  const auto at_address = find([&](const GpuReading& reading) {
    return !reading.pci_address.empty() && std::equal(reading.pci_address.begin(), reading.pci_address.end(),
                                                      gpu.pci_address.begin(), gpu.pci_address.end(), same);
  });
  if (at_address < readings.size()) return at_address;
  const auto unplaced = [&](const GpuReading& reading) {
    return reading.pci_address.empty() || gpu.pci_address.empty();
  };
  const auto named =
      find([&](const GpuReading& reading) { return unplaced(reading) && reading.name == gpu.model; });
  if (named < readings.size()) return named;
  return readings.size() == 1 && unplaced(readings.front()) ? 0 : readings.size();
}

Watcher::Watcher(const std::string& root, const Processors& processors)
    : monitor_(options_for(root)),
      processors_(processors),
      boottime_offset_us_(boottime_offset_us()),
      gpus_(processors.count()),
      disturbed_us_(processors.count()) {
  if (auto started = monitor_.start(); !started) {
    spdlog::warn("the machine is not watched: {}, ignoring", started.error().message);
  }
}

Watcher::Update Watcher::update(std::int64_t now) {
  for (const monitor::Event& event : monitor_.drain_events()) {
    spdlog::info("monitor: {} {}{}{}", monitor::source_name(event.source),
                 event.came ? "is there" : "has gone", event.detail.empty() ? "" : ": ", event.detail);
  }
  Update update;
  const std::int64_t offset = boottime_offset_us();
  update.suspended = (updated_us_ != 0 && now - updated_us_ > kStoodStillUs) ||
                     std::abs(offset - boottime_offset_us_) > kClockJumpUs;
  updated_us_ = now;
  boottime_offset_us_ = offset;

  const monitor::Snapshot snapshot = monitor_.latest();
  update.expected_slowdown.assign(processors_.count(), std::numeric_limits<double>::quiet_NaN());
  update.expected_slowdown[kCpu] = expected_slowdown(snapshot, processors_);
  MachineReading reading;
  bool others_busy = true;
  if (snapshot.cpu.fresh()) {
    const double cores = std::max(1.0, snapshot.cpu.value.cores);
    reading.load = snapshot.cpu.value.busy_cores / cores;
    reading.others_load = snapshot.cpu.value.others_cores / cores;
    others_busy = snapshot.cpu.value.others_cores > kQuietOthers;
  }
  reading.frequency_mhz = monitor::cpu_frequency_mhz(snapshot);
  reading.temperature_celsius = monitor::cpu_temperature_c(snapshot);
  if (const auto power_mw = monitor::board_power_mw(snapshot)) reading.power_watts = *power_mw / 1000;
  for (const monitor::Gpu& gpu : snapshot.gpus) reading.gpus.push_back(reading_of(gpu));
  if (snapshot.cost.ticks > 0) reading.sampler_share = snapshot.cost.cpu_fraction;
  const std::lock_guard lock(mutex_);
  if (others_busy) disturbed_us_[kCpu] = now;
  for (std::uint32_t p = kCpu + 1; p < processors_.count(); ++p) {
    gpus_[p].reset();
    const std::size_t at = find_reading(*processors_[p].gpu, reading.gpus);
    if (at < reading.gpus.size()) {
      gpus_[p] = std::move(reading.gpus[at]);
      reading.gpus.erase(reading.gpus.begin() + static_cast<std::ptrdiff_t>(at));
    }
    const auto others = gpus_[p] ? gpus_[p]->others_load : std::nullopt;
    if (others) update.expected_slowdown[p] = policy::expected_gpu_slowdown(*others);
    // Where nobody tells, quiet has to be assumed, or a GPU would never be measured.
    if (others > kQuietOthers || disturbed_us_[p] == 0) disturbed_us_[p] = now;
  }
  reading_ = std::move(reading);
  return update;
}

MachineReading Watcher::reading() const {
  const std::lock_guard lock(mutex_);
  return reading_;
}

std::optional<GpuReading> Watcher::gpu(std::uint32_t processor) const {
  const std::lock_guard lock(mutex_);
  return gpus_[processor];
}

bool Watcher::quiet(std::uint32_t processor, std::int64_t now) const {
  const std::lock_guard lock(mutex_);
  return disturbed_us_[processor] != 0 && now - disturbed_us_[processor] > kQuietForUs;
}

}  // namespace dofa::control
