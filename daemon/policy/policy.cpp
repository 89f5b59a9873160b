// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/policy.hpp"

#include <algorithm>

namespace dofa::policy {
namespace {

constexpr double kBurst = 2;
constexpr double kMoveGain = 0.15;  // of a session's weight; less is not worth a cold cache
constexpr double kTieBreak = 0.01;
constexpr std::uint32_t kNowhere = UINT32_MAX;
constexpr std::int64_t kStayUs = 5'000'000;  // between two moves of a session whose contract is kept

}  // namespace

Policy::Policy(const std::vector<ProcessorSpec>& processors, PlannerOptions options)
    : slowdowns_(processors.size()), options_(options) {
  for (std::uint32_t index = 0; index < processors.size(); ++index) {
    processors_.push_back(processors[index].name);
    lanes_.insert(lanes_.end(), processors[index].lanes, LaneSpec{index, true});
  }
}

Result<Applicant> Policy::applicant(const Contract& contract, const FamilyProfile& family) const {
  if (family.levels.empty()) return Error{ErrorCode::kInvalidFamily, "the family has no levels"};
  if (auto valid = validate(contract, family.facts()); !valid) return valid.error();
  Applicant result;
  result.contract = contract;
  result.family = &family;
  result.period_us = contract.period_us ? static_cast<double>(*contract.period_us) : 0;
  if (contract.processor) {
    const auto found = std::find(processors_.begin(), processors_.end(), *contract.processor);
    if (found == processors_.end()) {
      return Error{ErrorCode::kInvalidArgument, "processor '" + *contract.processor + "' is not there"};
    }
    result.processor = static_cast<std::uint32_t>(found - processors_.begin());
  }
  return result;
}

std::vector<Applicant> Policy::others(const Session* without) const {
  std::vector<Applicant> result;
  for (const auto& session : sessions_) {
    if (!session || session.get() == without) continue;
    result.push_back({session->contract, session->family.get(), session->processor, session->lane,
                      session->plan.prepare_us, session->plan.period_us});
  }
  return result;
}

/// Lanes for the others, in the order of their ids, and last for the candidate. Admission goes by the machine
/// at rest: a contract outlives the load of the moment, which ContractUnmet reports.
Result<std::vector<std::uint32_t>> Policy::place(const Applicant& candidate, const Session* without) const {
  const std::vector<SlowdownFilter> at_rest(slowdowns_.size());
  std::vector<Applicant> applicants = others(without);
  applicants.push_back(candidate);
  if (auto lanes = admit(applicants, lanes_, at_rest, options_.capacity)) return *lanes;
  for (Applicant& applicant : applicants) applicant.lane.reset();
  if (auto lanes = admit(applicants, lanes_, at_rest, options_.capacity)) return *lanes;
  std::string message = "the contract does not fit beside the admitted ones";
  if (auto nearest = nearest_contract(applicants, lanes_, at_rest, options_.capacity)) {
    message += "; the nearest that does: " + describe_difference(candidate.contract, *nearest);
  }
  return Error{ErrorCode::kUnsatisfiable, message};
}

Result<SessionId> Policy::open(const Contract& contract, FamilyPtr family, std::int64_t now_us) {
  Result<Applicant> candidate = applicant(contract, *family);
  if (!candidate) return candidate.error();
  const Result<std::vector<std::uint32_t>> lanes = place(*candidate, nullptr);
  if (!lanes) return lanes.error();

  auto free = std::find(sessions_.begin(), sessions_.end(), nullptr);
  if (free == sessions_.end()) free = sessions_.insert(free, nullptr);
  dispatch_.resize(sessions_.size());
  expected_.reserve(sessions_.size());
  const auto id = static_cast<SessionId>(free - sessions_.begin());
  auto session = std::make_unique<Session>();
  session->family = std::move(family);
  Session& opened = *session;
  std::vector<Session*> order;
  for (const auto& other : sessions_) {
    if (other) order.push_back(other.get());
  }
  *free = std::move(session);
  settle(opened, *candidate, order, *lanes, now_us);
  opened.published = this->session(id);
  return id;
}

Result<void> Policy::change(SessionId id, const Contract& contract, std::int64_t now_us) {
  Session& session = *sessions_[id];
  Result<Applicant> candidate = applicant(contract, *session.family);
  if (!candidate) return candidate.error();
  candidate->prepare_us = session.plan.prepare_us;
  const Result<std::vector<std::uint32_t>> lanes = place(*candidate, &session);
  if (!lanes) return lanes.error();
  std::vector<Session*> order;
  for (const auto& other : sessions_) {
    if (other && other.get() != &session) order.push_back(other.get());
  }
  settle(session, *candidate, order, *lanes, now_us);
  return {};
}

/// Puts the contract in force: moves the others where admission had to, then starts the session on the best
/// of the lanes that admit it.
void Policy::settle(Session& session, const Applicant& as, std::span<Session* const> order,
                    std::span<const std::uint32_t> lanes, std::int64_t now_us) {
  session.contract = as.contract;
  session.processor = as.processor;
  session.rate = TokenBucket(as.contract.period_us.value_or(0), kBurst);
  session.plan.period_us = as.period_us;
  session.plan.prepare_us = as.prepare_us;
  session.lane = kNowhere;
  bool moved = false;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (order[i]->lane == lanes[i]) continue;
    start_on(*order[i], lanes[i], now_us, PlanReason::kMoved);
    moved = true;
  }
  std::uint32_t best = lanes.back();
  if (!moved) {  // with the others where they are, another lane may admit it too and give more
    double most = gain(session, best, now_us);
    for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
      if (lane == lanes.back() || !admits(as, &session, lane)) continue;
      if (const double here = gain(session, lane, now_us); here > most) {
        most = here;
        best = lane;
      }
    }
  }
  start_on(session, best, now_us, PlanReason::kOpened);
}

bool Policy::admits(const Applicant& candidate, const Session* without, std::uint32_t lane) const {
  std::vector<Applicant> applicants = others(without);
  applicants.push_back(candidate);
  applicants.back().lane = lane;
  const std::vector<SlowdownFilter> at_rest(slowdowns_.size());
  return admit(applicants, lanes_, at_rest, options_.capacity).has_value();
}

void Policy::start_on(Session& session, std::uint32_t lane, std::int64_t now_us, PlanReason reason) {
  const std::uint32_t processor = lanes_[lane].processor;
  session.plan = planned({session.contract, session.family.get(), session.processor, lane,
                          session.plan.prepare_us, session.plan.period_us},
                         processor);
  session.lane = lane;
  session.moved_us = now_us;
  plan_fresh(now_us, session.plan, on_lane(lane), processor, slowdowns_[processor], options_);
  session.plan.reason = reason;
  refresh();
}

void Policy::close(SessionId id) {
  sessions_[id].reset();
  dispatch_[id] = {};
}

void Policy::set_family(SessionId id, FamilyPtr family, std::int64_t now_us) {
  Session& session = *sessions_[id];
  const std::size_t levels = session.family->levels.size();
  session.family = std::move(family);
  session.plan.family = session.family.get();
  const LevelRange range =
      acceptable_levels(session.contract, *session.family, lanes_[session.lane].processor);
  const bool as_before = levels == session.family->levels.size() && range.floor == session.plan.floor &&
                         range.top == session.plan.top;
  if (!as_before) start_on(session, session.lane, now_us, PlanReason::kOpened);
  refresh();
}

std::vector<PlannedSession*> Policy::on_lane(std::uint32_t lane) const {
  std::vector<PlannedSession*> result;
  for (const auto& session : sessions_) {
    if (session && session->lane == lane) result.push_back(&session->plan);
  }
  return result;
}

bool Policy::allowed(const Session& session, std::uint32_t lane) const {
  return lanes_[lane].usable && (!session.processor || *session.processor == lanes_[lane].processor);
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

void Policy::consider_moving(std::int64_t now_us) {
  if (lanes_.size() < 2 || sessions_.empty()) return;
  next_to_move_ = (next_to_move_ + 1) % static_cast<SessionId>(sessions_.size());
  Session* session = sessions_[next_to_move_].get();
  if (session == nullptr || (session->plan.met && now_us - session->moved_us < kStayUs)) return;
  bool elsewhere = false;
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    elsewhere |= lane != session->lane && allowed(*session, lane);
  }
  if (!elsewhere) return;
  std::uint32_t best = session->lane;
  double most = lanes_[best].usable ? gain(*session, best, now_us) + kMoveGain * session->plan.weight : -1;
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    if (lane == session->lane || !allowed(*session, lane)) continue;
    if (const double here = gain(*session, lane, now_us); here > most) {
      most = here;
      best = lane;
    }
  }
  if (best != session->lane) start_on(*session, best, now_us, PlanReason::kMoved);
}

void Policy::set_usable(std::uint32_t processor, bool usable, std::int64_t now_us) {
  for (LaneSpec& lane : lanes_) {
    if (lane.processor == processor) lane.usable = usable;
  }
  if (usable) return;
  for (const auto& session : sessions_) {
    if (!session || lanes_[session->lane].usable) continue;
    std::optional<std::uint32_t> best;
    double most = 0;
    for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
      if (!allowed(*session, lane)) continue;
      const double here = gain(*session, lane, now_us);
      if (!best || here > most) {
        best = lane;
        most = here;
      }
    }
    if (best) {
      start_on(*session, *best, now_us, PlanReason::kMoved);
    } else {
      session->plan.met = false;
      session->plan.reason = PlanReason::kOverloaded;
    }
  }
  refresh();
}

/// Keeps why a plan moved a session until plan() tells; a later tick would overwrite it.
void Policy::note_reasons() {
  for (const auto& session : sessions_) {
    if (session && session->plan.reason != PlanReason::kUnchanged) session->reason = session->plan.reason;
  }
}

/// Copies what pick needs to where it needs it.
void Policy::refresh() {
  for (SessionId id = 0; id < sessions_.size(); ++id) {
    if (const Session* session = sessions_[id].get()) {
      dispatch_[id] = {session->family.get(), session->plan.floor, session->plan.ceiling, session->plan.z,
                       session->contract.when_late};
    }
  }
}

SessionPlan Policy::session(SessionId id) const {
  const Session& session = *sessions_[id];
  return {session.lane, session.plan.floor, session.plan.ceiling, session.plan.met};
}

std::optional<Contract> Policy::nearest(SessionId id) const {
  const Session& session = *sessions_[id];
  std::vector<Applicant> applicants = others(&session);
  applicants.push_back({session.contract, session.family.get(), session.processor, std::nullopt,
                        session.plan.prepare_us, session.plan.period_us});
  return nearest_contract(applicants, lanes_, slowdowns_, options_.capacity);
}

}  // namespace dofa::policy
