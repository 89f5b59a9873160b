// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/refiner.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace dofa::control {
namespace {

constexpr std::int64_t kRefinePeriodUs = 5'000'000;  // between attempts to profile on a quiet processor
constexpr std::uint32_t kRounds = 9;
constexpr std::size_t kSizes = 1 + policy::kBatchSizes.size();

std::uint32_t frames_of(std::size_t size) {
  return size == 0 ? 1 : policy::kBatchSizes[size - 1];
}

}  // namespace

Refiner::Refiner(const Processors& processors, Scheduler& scheduler, FamilyStore& families,
                 const Watcher& watcher, const ProfileKeeper& keeper,
                 std::function<void(const std::shared_ptr<LoadedFamily>&)> profiled)
    : processors_(processors),
      scheduler_(scheduler),
      families_(families),
      watcher_(watcher),
      keeper_(keeper),
      profiled_(std::move(profiled)),
      refined_us_(processors.count()) {}

void Refiner::tick(std::int64_t now) {
  for (std::uint32_t p = 0; p < processors_.count(); ++p) {
    const std::size_t waiting = p == kCpu ? scheduler_.waiting() : scheduler_.waiting(p);
    if (now - refined_us_[p] < kRefinePeriodUs || !watcher_.quiet(p, now) || waiting != 0) continue;
    refined_us_[p] = now;
    for (const auto& family : families_.all()) {
      if (!family->runs_on(p) || !family->provisional(p) || family->refining[p].exchange(true)) continue;
      refine(family, p);
      break;
    }
  }
}

/// One idle task a run, so that a frame waits for at most one; the last one puts the new profile in force,
/// provided that the processor stayed quiet all along.
void Refiner::refine(const std::shared_ptr<LoadedFamily>& family, std::uint32_t processor) {
  const std::uint32_t lane = processors_[processor].first_lane;
  const MeasuredLevels rough = family->measured(processor);
  const auto samples = std::make_shared<Samples>(rough.time_us.size() * kSizes);
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    for (std::uint32_t i = 0; i < samples->size(); ++i) {
      const std::uint32_t level = i / kSizes;
      const std::size_t size = i % kSizes;
      if (size > 0 && (rough.batch_us.empty() || rough.batch_us[level][size - 1] <= 0)) continue;
      scheduler_.when_idle(lane, [this, family, samples, processor, lane, level, size, i] {
        engine::Runner* runner = family->runners[lane].get();
        if (runner == nullptr || !watcher_.quiet(processor, now_us())) return;
        if (const auto run = measure(*runner, level, 1, frames_of(size)))
          (*samples)[i].push_back(run->median_us);
      });
    }
  }
  scheduler_.when_idle(lane, [this, family, samples, processor] { finish(family, processor, *samples); });
}

void Refiner::finish(const std::shared_ptr<LoadedFamily>& family, std::uint32_t processor,
                     const Samples& samples) {
  family->refining[processor] = false;
  MeasuredLevels found = family->measured(processor);
  if (found.time_us.empty()) return;  // lost meanwhile
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::size_t level = i / kSizes;
    const std::size_t size = i % kSizes;
    if (size > 0 && (found.batch_us.empty() || found.batch_us[level][size - 1] <= 0)) continue;
    std::vector<double> runs = samples[i];
    if (runs.size() < kRounds) return;  // disturbed: the next quiet moment tries again
    std::nth_element(runs.begin(), runs.begin() + kRounds / 2, runs.end());
    (size == 0 ? found.time_us[level] : found.batch_us[level][size - 1]) = runs[kRounds / 2];
  }
  found.provisional = false;
  family->set_measured(processor, std::move(found));
  std::unique_lock keeping(keeping_);
  if (auto kept = keeper_.keep(*family); !kept)
    spdlog::warn("the profile is not kept: {}, ignoring", kept.error().message);
  keeping.unlock();
  spdlog::info("family '{}' profiled on a quiet {}", family->name,
               processor == kCpu ? "machine" : processors_[processor].name);
  profiled_(family);
}

}  // namespace dofa::control
