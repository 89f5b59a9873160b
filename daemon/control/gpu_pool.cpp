// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/gpu_pool.hpp"

#include <spdlog/spdlog.h>

#include <chrono>
#include <future>
#include <utility>

#include "daemon/control/lane.hpp"

namespace dofa::control {
namespace {

using Refusal = LoadedFamily::Refusal;
constexpr std::chrono::seconds kAttachPatience{60};

}  // namespace

/// A family's new runner, and its profile where it had none.
struct GpuPool::Fresh {
  std::shared_ptr<LoadedFamily> family;
  std::unique_ptr<engine::Runner> runner;
  MeasuredLevels measured;
};

GpuPool::GpuPool(const Processors& processors, Scheduler& scheduler, FamilyStore& families,
                 const ProfileKeeper& keeper,
                 std::function<void(const std::shared_ptr<LoadedFamily>&)> profiled)
    : processors_(processors),
      scheduler_(scheduler),
      families_(families),
      keeper_(keeper),
      profiled_(std::move(profiled)),
      health_(processors.count()) {}

std::string GpuPool::lost_reason(std::uint32_t processor) const {
  const std::lock_guard lock(mutex_);
  return health_[processor].reason();
}

void GpuPool::attach_families() {
  std::vector<std::future<void>> attached;
  for (std::uint32_t p = kCpu + 1; p < processors_.count(); ++p) {
    const auto done =
        std::make_shared<std::promise<void>>();  // dropped with the task where that is never run
    attached.push_back(done->get_future());
    scheduler_.soon(processors_[p].first_lane, [this, p, done] {
      attach(p);
      done->set_value();
    });
  }
  for (const std::future<void>& each : attached) (void)each.wait_for(kAttachPatience);
}

Result<GpuPool::Fresh> GpuPool::make(const std::shared_ptr<LoadedFamily>& family,
                                     std::uint32_t processor) const {
  const std::string& name = processors_[processor].name;
  auto runner = family->family->make_runner_on(family->family, name);
  if (!runner) return runner.error();
  Fresh fresh{family, std::move(*runner), {}};
  if (family->runs_on(processor)) return fresh;
  if (auto kept = keeper_.find(*family->family, name)) {
    fresh.measured = std::move(*kept);
    return fresh;
  }
  auto looked = quick_look(*fresh.runner, static_cast<std::uint32_t>(family->family->levels().size()));
  if (!looked) return looked.error();
  fresh.measured = std::move(*looked);
  return fresh;
}

bool GpuPool::bring_up(std::uint32_t processor, Error& fault) {
  const std::uint32_t lane = processors_[processor].first_lane;
  std::vector<Fresh> all;
  for (const auto& family : families_.all()) {
    if (family->runners[lane] != nullptr || family->refused[processor] != Refusal::kNone) continue;
    auto fresh = make(family, processor);
    if (fresh) {
      all.push_back(std::move(*fresh));
      continue;
    }
    // One that has run there, and may be planned there, must again; one that has not is no reason to keep the
    // others out.
    const bool fatal = fresh.error().code == ErrorCode::kNotReady || family->runs_on(processor);
    if (fatal) {
      fault = fresh.error();
      return false;
    }
    const bool for_good = fresh.error().code == ErrorCode::kNotSupported;
    family->refused[processor] = for_good ? Refusal::kForGood : Refusal::kForNow;
    spdlog::warn("family '{}' does not run on {}: {}", family->name, processors_[processor].name,
                 fresh.error().message);
  }
  for (Fresh& fresh : all) {
    fresh.family->runners[lane] = std::move(fresh.runner);
    if (fresh.measured.time_us.empty()) continue;
    fresh.family->set_measured(processor, std::move(fresh.measured));
    profiled_(fresh.family);
  }
  return true;
}

void GpuPool::detach(const std::shared_ptr<LoadedFamily>& family) {
  for (std::uint32_t p = kCpu + 1; p < processors_.count(); ++p) {
    scheduler_.soon(processors_[p].first_lane, [this, p, family] {
      family->runners[processors_[p].first_lane].reset();
      forgive(p);
      attach(p);
    });
  }
}

void GpuPool::attach(std::uint32_t processor) {
  {
    const std::lock_guard lock(mutex_);
    if (!health_[processor].usable()) return;  // the next attempt sees to it
  }
  Error fault;
  if (!bring_up(processor, fault)) lost(processor, fault, {});
}

void GpuPool::lost(std::uint32_t processor, const Error& error, std::span<Frame* const> at_hand) {
  const std::string& name = processors_[processor].name;
  {
    const std::lock_guard lock(mutex_);
    if (health_[processor].usable()) {
      health_[processor].lost(now_us(), error.message);
      spdlog::error("{} was lost: {}; its sessions move, and it is tried again later", name, error.message);
    }
  }
  for (Frame* frame : scheduler_.lose(processor, at_hand)) {
    const bool closed = frame->session->closed();
    end_frame(*frame, closed ? Error{ErrorCode::kCancelled, "the session was closed"}
                             : Error{ErrorCode::kNotReady, name + " was lost: " + error.message});
  }
  withdraw(processor);
}

void GpuPool::withdraw(std::uint32_t processor) const {
  for (const auto& family : families_.all()) {
    family->runners[processors_[processor].first_lane].reset();
  }
  forgive(processor);
}

/// There may be memory now for those that found none.
void GpuPool::forgive(std::uint32_t processor) const {
  for (const auto& family : families_.all()) {
    Refusal& refused = family->refused[processor];
    if (refused == Refusal::kForNow) refused = Refusal::kNone;
  }
}

void GpuPool::tick(std::int64_t now) {
  for (std::uint32_t p = kCpu + 1; p < processors_.count(); ++p) {
    const std::lock_guard lock(mutex_);
    if (health_[p].try_now(now)) scheduler_.soon(processors_[p].first_lane, [this, p] { retry(p); });
  }
}

void GpuPool::retry(std::uint32_t processor) {
  const std::string& name = processors_[processor].name;
  Error fault;
  const bool up = bring_up(processor, fault);
  {
    const std::lock_guard lock(mutex_);
    if (!up) {
      spdlog::debug("{} is still lost: {}", name, fault.message);
      return health_[processor].lost(now_us(), fault.message);
    }
    health_[processor].recovered(now_us());
  }
  scheduler_.restore(processor);
  spdlog::info("{} is back", name);
}

}  // namespace dofa::control
