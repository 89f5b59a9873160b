// SPDX-License-Identifier: Apache-2.0
// The control loop's part of the runtime: readings to the policy, plans to whoever listens, and what can be
// watched.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "daemon/control/runtime.hpp"
#include "daemon/engine/kernels/simd.hpp"

namespace dofa::control {
namespace {

constexpr std::int64_t kPlanPeriodUs = 100'000;
constexpr std::int64_t kUnmetPeriodUs = 1'000'000;  // ContractUnmet a session
constexpr std::int64_t kLevelPeriodUs = 200'000;    // SubnetChanged a session

}  // namespace

void Runtime::tick(std::int64_t now) {
  const Watcher::Update update = watcher_.update(now);
  if (update.suspended) {
    spdlog::info("the machine or the service stood still; what was learnt of its speed is forgotten");
    scheduler_.suspended(now);
  }
  // Also without an idea: what was learnt of a processor that nobody uses has to fade.
  for (std::uint32_t p = 0; p < processors_.count(); ++p)
    scheduler_.load(p, update.expected_slowdown[p], now);
  gpus_.tick(now);
  if (scheduler_.take_plan_wish() || now - planned_us_ >= kPlanPeriodUs) {
    planned_us_ = now;
    for (SessionChange& change : scheduler_.plan(now)) {
      Told& told = told_of(*change.session);
      if (change.level_changed || change.processor_changed) told.reason = change.reason;
      if (change.unmet || change.met_again)
        told.unmet = change.unmet ? std::optional(std::move(change)) : std::nullopt;
    }
    const auto open = sessions();
    std::erase_if(told_, [&](const auto& entry) {
      return std::none_of(open.begin(), open.end(),
                          [&](const auto& s) { return s->identity().id == entry.first; });
    });
    for (const auto& session : open) tell(*session, now);
  }
  refiner_.tick(now);
}

Runtime::Told& Runtime::told_of(const Session& session) {
  const auto [at, fresh] = told_.try_emplace(session.identity().id);
  if (fresh) at->second.level = session.first_level;
  if (fresh) at->second.processor = session.first_processor;
  return at->second;
}

/// Tells what differs from what was told last, each kind at its own rate: what is held back now is told later
/// if it is still true.
void Runtime::tell(const Session& session, std::int64_t now) {
  Told& told = told_of(session);
  RuntimeListener* const listener = listener_;
  if (listener == nullptr) return;
  const bool elsewhere = session.level() != told.level || session.processor() != told.processor;
  if (elsewhere && now - told.level_us >= kLevelPeriodUs) {
    const std::uint32_t from = std::exchange(told.level, session.level());
    told.processor = session.processor();
    told.level_us = now;
    listener->subnet_changed(session, from, std::exchange(told.reason, "contract changed"));
  }
  if (told.unmet && now - told.unmet_us >= kUnmetPeriodUs) {
    told.unmet_us = now;
    listener->contract_unmet(session, told.unmet->reason, told.unmet->nearest);
    told.unmet.reset();
  }
}

void Runtime::publish_profile(const std::shared_ptr<LoadedFamily>& family) {
  {
    const std::lock_guard lock(publishing_);
    const auto profile = family->profile();
    for (const auto& session : sessions()) {
      if (&session->family() == family.get()) scheduler_.set_profile(*session, profile);
    }
  }
  if (RuntimeListener* listener = listener_) listener->family_profiled(family->name);
}

Result<void> Runtime::profile_family(const std::string& name) {
  const auto family = families_.find(name);
  if (!family) return Error{ErrorCode::kNotFound, "no family '" + name + "' is loaded"};
  family->doubt_measured();
  spdlog::info("family '{}' is to be profiled anew", name);
  if (RuntimeListener* listener = listener_) listener->family_profiled(name);
  return {};
}

std::vector<ProcessorStatus> Runtime::processors() const {
  std::vector<ProcessorStatus> all;
  for (std::uint32_t p = 0; p < processors_.count(); ++p) {
    const Processor& processor = processors_[p];
    ProcessorStatus status;
    status.name = processor.name;
    status.lanes = processor.lanes;
    status.queue = scheduler_.waiting(p);
    status.slowdown = scheduler_.slowdown(p);
    if (p == kCpu) {
      status.simd = engine::kernels::simd_target();
      status.machine = watcher_.reading();
    } else {
      status.model = processor.gpu->model;
      status.lost = gpus_.lost_reason(p);
      if (const auto gpu = watcher_.gpu(p)) {
        status.machine.load = gpu->load;
        status.machine.others_load = gpu->others_load;
        status.machine.frequency_mhz = gpu->frequency_mhz;
        status.machine.temperature_celsius = gpu->temperature_celsius;
        status.machine.power_watts = gpu->power_watts;
      }
    }
    all.push_back(std::move(status));
  }
  return all;
}

bool Runtime::healthy(std::int64_t now) const {
  std::int64_t allowed_us = 0;
  {
    const std::lock_guard lock(mutex_);
    allowed_us = options_.control.stuck_after_s * 1'000'000LL;
  }
  return std::none_of(lanes_.begin(), lanes_.end(), [&](const auto& lane) {
    const std::int64_t since = lane->busy_since_us();
    return since != 0 && now - since > allowed_us;
  });
}

}  // namespace dofa::control
