// SPDX-License-Identifier: Apache-2.0
// Which lane a session is on, once it is admitted: moves between lanes and processors, and lost processors.
#include <algorithm>

#include "daemon/policy/policy.hpp"

namespace dofa::policy {
namespace {

constexpr double kMoveGain = 0.15;  // of a session's weight; less is not worth a cold cache
constexpr double kTieBreak = 0.01;
constexpr std::int64_t kStayUs = 5'000'000;  // between two moves of a session whose contract is kept
constexpr std::int64_t kLongestStayUs = 60'000'000;
constexpr std::int64_t kProvenUs = 10'000'000;  // a processor that has served it this long was no mistake
constexpr std::int64_t kSettledUs =
    200'000;  // before it may flee again: what it meets there needs frames to show

}  // namespace

bool Policy::allowed(const Session& session, std::uint32_t lane) const {
  const std::uint32_t processor = lanes_[lane].processor;
  if (!lanes_[lane].usable || (session.processor && *session.processor != processor)) return false;
  const LevelRange range = acceptable_levels(session.contract, *session.family, processor);
  return session.family->levels[range.floor].time_us[processor] > 0;
}

/// What the session would add to a lane's worth, the others' loss deducted; a free lane breaks ties.
double Policy::gain(const Session& session, std::uint32_t lane, std::int64_t now_us) const {
  const std::uint32_t processor = lanes_[lane].processor;
  std::vector<PlannedSession> trial;
  for (const PlannedSession* other : on_lane(lane)) {
    if (other != &session.plan) trial.push_back(*other);
  }
  trial.push_back(planned({session.contract, session.family.get(), session.processor, lane,
                           session.plan.prepare_us, session.plan.period_us},
                          processor));
  std::vector<PlannedSession*> pointers;
  for (PlannedSession& each : trial) pointers.push_back(&each);
  const auto total = [&](std::size_t count) {
    double worth = 0;
    double used = 0;
    for (std::size_t i = 0; i < count; ++i) {
      worth += trial[i].weight * (trial[i].met ? 1 + trial[i].family->worth(trial[i].ceiling) : 0);
      used += utilisation(trial[i], trial[i].ceiling, processor, slowdowns_[processor]);
    }
    return worth - kTieBreak * used;
  };
  const double before = total(trial.size() - 1);
  plan_fresh(now_us, trial.back(), pointers, processor, slowdowns_[processor], options_);
  return total(trial.size()) - before;
}

/// Not even its lowest acceptable level keeps the budget where it is, by what the latest frames and readings
/// say: with another processor at hand that is not the moment to wait for the planner's memory, nor for its
/// turn.
bool Policy::in_distress(const Session& session, std::int64_t now_us) const {
  const std::uint32_t processor = lanes_[session.lane].processor;
  return lanes_[session.lane].usable && now_us - session.moved_us >= kSettledUs &&
         needed_us(session.plan, session.plan.floor, processor, slowdowns_[processor]) >
             session.plan.budget_us;
}

bool Policy::is_candidate(const Session& session, std::uint32_t lane, bool other_processor) const {
  return lane != session.lane && allowed(session, lane) &&
         (!other_processor || lanes_[lane].processor != lanes_[session.lane].processor);
}

bool Policy::would_flee(SessionId id, std::int64_t now_us) const {
  const Session& session = *sessions_[id];
  if (processors_.size() < 2 || !in_distress(session, now_us)) return false;
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    if (is_candidate(session, lane, true)) return true;
  }
  return false;
}

void Policy::move_to_best(Session& session, bool fleeing, std::int64_t now_us) {
  const auto candidate = [&](std::uint32_t lane) { return is_candidate(session, lane, fleeing); };
  bool elsewhere = false;
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) elsewhere |= candidate(lane);
  if (!elsewhere) return;
  std::uint32_t best = session.lane;
  double most = lanes_[best].usable ? gain(session, best, now_us) + kMoveGain * session.plan.weight : -1;
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    if (!candidate(lane)) continue;
    if (const double here = gain(session, lane, now_us); here > most) {
      most = here;
      best = lane;
    }
  }
  if (best == session.lane) return;
  const bool driven = fleeing || !session.plan.met;
  if (driven && lanes_[best].processor != lanes_[session.lane].processor) {
    // Where nobody tells how busy the other processor is, going back there is a trial: after one that fails
    // the next waits twice as long.
    const bool mistake = session.stay_us > 0 && now_us - session.moved_us < kProvenUs;
    session.stay_us = mistake ? std::min(2 * session.stay_us, kLongestStayUs) : kStayUs;
  }
  start_on(session, best, now_us, PlanReason::kMoved);
}

void Policy::consider_moving(std::int64_t now_us) {
  if (lanes_.size() < 2 || sessions_.empty()) return;
  for (SessionId id = 0; id < sessions_.size(); ++id) {
    if (sessions_[id] && would_flee(id, now_us)) move_to_best(*sessions_[id], true, now_us);
  }
  next_to_move_ = (next_to_move_ + 1) % static_cast<SessionId>(sessions_.size());
  Session* session = sessions_[next_to_move_].get();
  if (session == nullptr) return;
  const std::int64_t stay_us = std::max(session->stay_us, kStayUs);
  if (session->plan.met && now_us - session->moved_us < stay_us) return;
  move_to_best(*session, false, now_us);
}

void Policy::set_usable(std::uint32_t processor, bool usable, std::int64_t now_us) {
  for (LaneSpec& lane : lanes_) {
    if (lane.processor == processor) lane.usable = usable;
  }
  if (usable) return;
  for (const auto& session : sessions_) {
    if (session && !lanes_[session->lane].usable) evict(*session, now_us);
  }
  refresh();
}

/// Off a lane that cannot serve it any more.
void Policy::evict(Session& session, std::int64_t now_us) {
  std::optional<std::uint32_t> best;
  double most = 0;
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    if (!allowed(session, lane)) continue;
    const double here = gain(session, lane, now_us);
    if (!best || here > most) {
      best = lane;
      most = here;
    }
  }
  if (best) {
    start_on(session, *best, now_us, PlanReason::kLost);
  } else {
    session.plan.met = false;
    session.plan.reason = PlanReason::kLost;
  }
}

}  // namespace dofa::policy
