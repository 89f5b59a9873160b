// SPDX-License-Identifier: Apache-2.0
// The frame path and the planner's tick; what concerns contracts is in policy.cpp.
#include <algorithm>

#include "daemon/policy/policy.hpp"

namespace dofa::policy {
namespace {

constexpr double kPrepareGain = 0.1;  // of the preprocessing time
constexpr double kSilentPeriods = 2;  // a periodic session this late has stopped; nothing is kept free for it
constexpr std::int64_t kLongestTickUs = 1'000'000;

double follow(double average, double value) {
  return average <= 0 ? value : average + kPrepareGain * (value - average);
}

}  // namespace

Arrival Policy::arrived(SessionId id, std::int64_t now_us) {
  Session& session = *sessions_[id];
  session.stats.submitted();
  session.last_arrival_us = now_us;
  Arrival arrival;
  if (session.contract.latency_budget_us) arrival.deadline_us = now_us + *session.contract.latency_budget_us;
  arrival.background = !session.rate.take(now_us);
  return arrival;
}

DispatchDecision Policy::pick(std::uint32_t lane, std::int64_t now_us, std::span<const QueuedFrame> queue) {
  expected_.clear();
  for (SessionId id = 0; id < sessions_.size(); ++id) {
    const Session* session = sessions_[id].get();
    if (session == nullptr || session->lane != lane || !session->contract.period_us ||
        !session->contract.latency_budget_us || session->last_arrival_us == INT64_MIN) {
      continue;
    }
    const auto silent_us = static_cast<double>(now_us - session->last_arrival_us);
    if (silent_us > kSilentPeriods * static_cast<double>(*session->contract.period_us)) continue;
    const std::int64_t arrival_us = std::max(now_us, session->last_arrival_us + *session->contract.period_us);
    const ExpectedFrame frame{id, arrival_us, arrival_us + *session->contract.latency_budget_us,
                              session->plan.prepare_us};
    const auto behind = std::upper_bound(
        expected_.begin(), expected_.end(), frame,
        [](const ExpectedFrame& a, const ExpectedFrame& b) { return a.deadline_us < b.deadline_us; });
    expected_.insert(behind, frame);
  }
  const std::uint32_t processor = lanes_[lane].processor;
  return dispatch(now_us, processor, slowdowns_[processor], queue, expected_, dispatch_);
}

void Policy::finished(const FinishedFrame& frame) {
  Session& session = *sessions_[frame.session];
  const LevelProfile& level = session.family->levels[frame.level];
  const std::uint32_t processor = lanes_[frame.lane].processor;
  if (frame.teaches) {
    slowdowns_[processor].observe(level.time_of_us(processor, frame.batch), frame.inference_us,
                                  frame.finished_us);
  }
  session.plan.prepare_us = follow(session.plan.prepare_us, frame.prepare_us);
  session.stats.served(frame.finished_us <= frame.deadline_us, level.accuracy,
                       static_cast<double>(frame.started_us - frame.arrived_us),
                       static_cast<double>(frame.finished_us - frame.started_us),
                       frame.level < session.plan.ceiling);
}

void Policy::load(std::uint32_t processor, double expected_slowdown, std::int64_t now_us) {
  slowdowns_[processor].expect(expected_slowdown, now_us);
}

void Policy::suspended(std::int64_t now_us) {
  for (SlowdownFilter& slowdown : slowdowns_) slowdown.forget(now_us);
  for (const auto& session : sessions_) {
    if (session) session->last_arrival_us = INT64_MIN;
  }
}

std::span<const PlanChange> Policy::plan(std::int64_t now_us) {
  const std::int64_t elapsed_us =
      planned_us_ == INT64_MIN ? 0 : std::clamp<std::int64_t>(now_us - planned_us_, 0, kLongestTickUs);
  planned_us_ = now_us;
  note_reasons();
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    const std::uint32_t processor = lanes_[lane].processor;
    if (lanes_[lane].usable) {
      plan_lane(now_us, elapsed_us, on_lane(lane), processor, slowdowns_[processor], options_);
    }
  }
  consider_moving(now_us);
  note_reasons();
  refresh();

  changes_.clear();
  for (SessionId id = 0; id < sessions_.size(); ++id) {
    Session* session = sessions_[id].get();
    if (session == nullptr) continue;
    const SessionPlan now = this->session(id);
    if (now != session->published) {
      changes_.push_back({id, session->published, now, session->reason});
      if (now.ceiling != session->published.ceiling || now.lane != session->published.lane) {
        session->stats.switched(now_us);
      }
      session->published = now;
    }
    session->reason = PlanReason::kUnchanged;
  }
  return changes_;
}

}  // namespace dofa::policy
