// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/session.hpp"

#include <algorithm>
#include <limits>

namespace dofa::control {
namespace {

std::uint32_t level_for(const policy::Contract& contract, const LoadedFamily& family) {
  const auto top = static_cast<std::uint32_t>(family.family->levels().size()) - 1;
  return std::min(contract.level.value_or(top), top);
}

}  // namespace

double SessionCounters::attainment() const {
  if (settled == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(settled - missed) / static_cast<double>(settled);
}

Session::Session(SessionIdentity identity, std::shared_ptr<LoadedFamily> family, policy::Contract contract)
    : identity_(std::move(identity)), family_(std::move(family)), latency_us_(family_->family->levels().size(), 0) {
  set_contract(std::move(contract));
}

policy::Contract Session::contract() const {
  const std::lock_guard lock(mutex_);
  return contract_;
}

void Session::set_contract(policy::Contract contract) {
  const std::lock_guard lock(mutex_);
  contract_ = std::move(contract);
  level_.store(level_for(contract_, *family_), std::memory_order_relaxed);
}

SessionCounters Session::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

std::int64_t Session::expected_latency_us() const {
  const std::lock_guard lock(mutex_);
  return latency_us_[level()];
}

Result<void> Session::admit(Frame& frame, std::uint32_t queue_limit) {
  const std::lock_guard lock(mutex_);
  ++counters_.frames;
  frame.answer.sequence = counters_.frames;
  if (waiting_ >= queue_limit) {
    ++counters_.missed;
    ++counters_.dropped;
    ++counters_.settled;
    return Error{ErrorCode::kResourceExhausted,
                 "limits.queue: " + std::to_string(queue_limit) + " frames of this session wait already"};
  }
  ++waiting_;
  frame.deadline_us = kNever;
  if (contract_.latency_budget_us) {
    // A frame may relax the contract's deadline, never tighten it.
    frame.deadline_us = frame.arrival_us + std::max(*contract_.latency_budget_us, frame.relative_deadline_us);
  }
  return {};
}

void Session::settle(FrameAnswer& answer, std::int64_t deadline_us, std::int64_t now) {
  answer.late = now > deadline_us;
  const std::lock_guard lock(mutex_);
  --waiting_;
  ++counters_.settled;
  if (answer.late) ++counters_.missed;
  std::int64_t& latency = latency_us_[answer.level];
  latency = latency == 0 ? answer.inference_us : latency + (answer.inference_us - latency) / 8;
}

void Session::settle_dropped() {
  const std::lock_guard lock(mutex_);
  --waiting_;
  ++counters_.settled;
  ++counters_.missed;
  ++counters_.dropped;
}

}  // namespace dofa::control
