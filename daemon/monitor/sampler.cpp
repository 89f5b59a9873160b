// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/sampler.hpp"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "daemon/monitor/gpu_merge.hpp"

namespace dofa::monitor {
namespace {

constexpr std::int64_t kBetweenEventsUs = 10'000'000;  // per source: a flapping one must not fill the log
constexpr std::size_t kMostEvents = 64;
constexpr std::int64_t kAccountingUs = 1'000'000;

// "/" → "", "/fake/" → "/fake": what stands before "/proc".
std::string as_prefix(std::string root) {
  while (!root.empty() && root.back() == '/') root.pop_back();
  return root;
}

double thread_cpu_us() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

}  // namespace

Sampler::Sampler(const Options& options)
    : options_(options),
      root_(as_prefix(options.root)),
      cpu_(root_),
      run_queue_(root_),
      pressure_cpu_(root_, "cpu"),
      pressure_memory_(root_, "memory"),
      pressure_io_(root_, "io"),
      memory_(root_),
      cgroup_(root_),
      topology_(root_),
      frequency_(root_),
      thermal_(root_),
      rapl_(root_),
      rails_(root_),
      power_supply_(root_),
      gpu_sysfs_(root_) {
  if (options.tegrastats_enabled)
    tegrastats_.emplace(options.tegrastats_path, options.tegrastats_interval_us);
  set_periods();
}

void Sampler::set_periods() {
  for (SourceState& source : snapshot_.sources) source.period_us = options_.slow_period_us;
  for (const Source source : {Source::kCpuTimes, Source::kRunQueue, Source::kPressureCpu,
                              Source::kPressureMemory, Source::kPressureIo}) {
    state(source).period_us = options_.cpu_period_us;
  }
  state(Source::kMemory).period_us = options_.memory_period_us;
  state(Source::kCgroup).period_us = options_.memory_period_us;
  state(Source::kFrequency).period_us = options_.frequency_period_us;
  state(Source::kGpuSysfs).period_us = options_.gpu_period_us;
  state(Source::kNvml).period_us = options_.nvml_period_us;
  state(Source::kTegrastats).period_us = options_.tegrastats_interval_us;
}

void Sampler::sample(std::int64_t now_us) {
  const double start_us = thread_cpu_us();
  if (now_us >= next_rescan_us_) rescan(now_us);
  sample_machine(now_us);
  sample_board(now_us);
  sample_gpus(now_us);
  snapshot_.time_us = now_us;
  ++snapshot_.sequence;
  refresh_validity(snapshot_, now_us);
  report_changes(now_us);
  account(now_us, thread_cpu_us() - start_us);
}

// Ticks come every cpu_period, give or take the scheduler; a source is due if its time is nearer to this tick
// than to the next.
bool Sampler::due(Source source, std::int64_t now_us) {
  std::int64_t& next_us = next_us_[static_cast<std::size_t>(source)];
  if (next_us == 0) next_us = now_us;
  if (now_us + options_.cpu_period_us / 2 < next_us) return false;
  next_us = std::max(next_us, now_us - options_.cpu_period_us / 2) + state(source).period_us;
  return true;
}

void Sampler::rescan(std::int64_t now_us) {
  const bool first = next_rescan_us_ == 0;
  next_rescan_us_ = now_us + options_.rescan_period_us;
  if (options_.nvml_enabled && !nvml_) {
    if (auto api = load_nvml(options_.nvml_library)) {
      nvml_.emplace(std::move(*api), static_cast<unsigned>(::getpid()));
    }
  } else if (nvml_) {
    nvml_->rescan();
  }
  if (first) return;  // the probes have just been made
  cgroup_.rescan();
  topology_.rescan();
  frequency_.rescan();
  thermal_.rescan();
  rapl_.rescan();
  rails_.rescan();
  gpu_sysfs_.rescan();
}

// Every value a source gives passes here; no value leaves the reading as it was, to grow old.
template <class T, class Part>
void Sampler::take(Reading<T>& reading, Source source, const std::optional<Part>& value,
                   std::int64_t now_us) {
  reading.source = source;
  if (!value) return;
  reading.value = *value;
  reading.time_us = now_us;
  reading.validity = Validity::kFresh;
  state(source).time_us = now_us;
}

void Sampler::sample_machine(std::int64_t now_us) {
  TextBuffer& buffer = *buffer_;
  if (due(Source::kCpuTimes, now_us)) {  // one tick, one window: these belong together
    take(snapshot_.cpu, Source::kCpuTimes, cpu_.sample(now_us, buffer), now_us);
    take(snapshot_.run_queue, Source::kRunQueue, run_queue_.sample(now_us), now_us);
    take(snapshot_.pressure_cpu, Source::kPressureCpu, pressure_cpu_.sample(now_us), now_us);
    take(snapshot_.pressure_memory, Source::kPressureMemory, pressure_memory_.sample(now_us), now_us);
    take(snapshot_.pressure_io, Source::kPressureIo, pressure_io_.sample(now_us), now_us);
  }
  if (due(Source::kMemory, now_us)) take(snapshot_.memory, Source::kMemory, memory_.sample(buffer), now_us);
  if (due(Source::kCgroup, now_us)) take(snapshot_.cgroup, Source::kCgroup, cgroup_.sample(now_us), now_us);
  if (due(Source::kTopology, now_us))
    take(snapshot_.topology, Source::kTopology, topology_.sample(buffer), now_us);
  if (due(Source::kFrequency, now_us))
    take(snapshot_.frequency, Source::kFrequency, frequency_.sample(), now_us);
}

void Sampler::sample_board(std::int64_t now_us) {
  if (due(Source::kThermal, now_us)) take(snapshot_.thermal, Source::kThermal, thermal_.sample(), now_us);
  if (due(Source::kRapl, now_us)) take(snapshot_.rapl, Source::kRapl, rapl_.sample(now_us), now_us);
  if (due(Source::kRails, now_us)) take(snapshot_.rails, Source::kRails, rails_.sample(), now_us);
  if (due(Source::kPowerSupply, now_us)) {
    take(snapshot_.power_supply, Source::kPowerSupply, power_supply_.sample(), now_us);
  }
}

void Sampler::sample_gpus(std::int64_t now_us) {
  if (tegrastats_) take(snapshot_.tegrastats, Source::kTegrastats, tegrastats_->poll(now_us), now_us);
  if (due(Source::kGpuSysfs, now_us)) {
    take(gpu_sysfs_reading_, Source::kGpuSysfs, gpu_sysfs_.sample(), now_us);
  }
  if (nvml_ && due(Source::kNvml, now_us)) {
    take(nvml_reading_, Source::kNvml, nvml_->sample(now_us), now_us);
  }
  const auto judge = [&](auto& reading) {
    const std::int64_t period_us = state(reading.source).period_us;
    if (reading.time_us != 0) reading.validity = judge_age(now_us - reading.time_us, period_us);
  };
  judge(gpu_sysfs_reading_);
  judge(nvml_reading_);
  judge(snapshot_.tegrastats);
  snapshot_.gpus = merge_gpus(gpu_sysfs_reading_, nvml_reading_, snapshot_);
}

void Sampler::report_changes(std::int64_t now_us) {
  for (std::size_t i = 0; i < kSourceCount; ++i) {
    const auto source = static_cast<Source>(i);
    const bool present = state(source).validity == Validity::kFresh;
    Reported& reported = reported_[i];
    if (present == reported.present || now_us - reported.time_us < kBetweenEventsUs) continue;
    reported = {present, now_us};
    std::string detail;
    if (source == Source::kTegrastats && !present && tegrastats_) detail = tegrastats_->trouble();
    const std::lock_guard lock(events_mutex_);
    if (events_.size() == kMostEvents) events_.erase(events_.begin());
    events_.push_back({now_us, source, present, std::move(detail)});
  }
}

std::vector<Event> Sampler::drain_events() {
  const std::lock_guard lock(events_mutex_);
  return std::exchange(events_, {});
}

void Sampler::account(std::int64_t now_us, double tick_us) {
  SamplerCost& cost = snapshot_.cost;
  if (cost.ticks == 0) {
    account_start_us_ = now_us;  // the first tick also opens every file; it is shown, but no rate
  } else {
    account_cpu_us_ += tick_us;
    cost.max_tick_us = std::max(cost.max_tick_us, tick_us);
  }
  ++cost.ticks;
  cost.last_tick_us = tick_us;
  const std::int64_t elapsed_us = now_us - account_start_us_;
  if (elapsed_us < kAccountingUs) return;
  cost.cpu_fraction = account_cpu_us_ / static_cast<double>(elapsed_us);
  account_cpu_us_ = 0;
  account_start_us_ = now_us;
}

}  // namespace dofa::monitor
