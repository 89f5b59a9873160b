// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/policy.hpp"

#include <algorithm>

namespace dofa::policy {
namespace {

constexpr double kBurst = 2;
constexpr std::uint32_t kNowhere = UINT32_MAX;

}  // namespace

Policy::Policy(const std::vector<ProcessorSpec>& processors, PlannerOptions options)
    : slowdowns_(processors.size(), SlowdownFilter(SlowdownFilter::Outliers::kAlone)), options_(options) {
  slowdowns_.front() = SlowdownFilter();  // the CPU's; all others are GPUs
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
    const auto processor = static_cast<std::uint32_t>(found - processors_.begin());
    result.processor = processor;
    if (std::none_of(family.levels.begin(), family.levels.end(),
                     [&](const LevelProfile& level) { return level.time_us[processor] > 0; })) {
      return Error{ErrorCode::kNotSupported, "this family does not run on " + *contract.processor};
    }
    if (std::none_of(lanes_.begin(), lanes_.end(),
                     [&](const LaneSpec& lane) { return lane.processor == processor && lane.usable; })) {
      return Error{ErrorCode::kNotReady, "processor '" + *contract.processor + "' is lost at the moment"};
    }
  }
  return result;
}

Applicant Policy::as_admitted(const Session& session) const {
  return {session.contract, session.family.get(),    session.processor,
          session.lane,     session.plan.prepare_us, session.plan.period_us};
}

/// All but those whose contract a lost processor has made impossible: without them the machine at rest could
/// keep the rest, so they are no reason to refuse anybody.
std::vector<Policy::Session*> Policy::kept(const Session* without) const {
  std::vector<Session*> result;
  for (const auto& session : sessions_) {
    if (session && session.get() != without && lanes_[session->lane].usable) result.push_back(session.get());
  }
  if (std::all_of(lanes_.begin(), lanes_.end(), [](const LaneSpec& lane) { return lane.usable; }))
    return result;
  std::vector<Applicant> applicants;
  for (const Session* session : result) {
    applicants.push_back(as_admitted(*session));
    applicants.back().lane.reset();
  }
  const std::vector<SlowdownFilter> at_rest(slowdowns_.size());
  if (!admit(applicants, lanes_, at_rest, options_.capacity)) {
    std::erase_if(result, [](const Session* session) { return !session->plan.met; });
  }
  return result;
}

/// Admission goes by the machine at rest: a contract outlives the load of the moment, which ContractUnmet
/// reports.
Result<Policy::Placing> Policy::place(const Applicant& candidate, const Session* without) const {
  const std::vector<SlowdownFilter> at_rest(slowdowns_.size());
  Placing placing{kept(without), {}};
  std::vector<Applicant> applicants;
  for (const Session* session : placing.kept) applicants.push_back(as_admitted(*session));
  applicants.push_back(candidate);
  auto lanes = admit(applicants, lanes_, at_rest, options_.capacity);
  if (!lanes) {
    for (Applicant& applicant : applicants) applicant.lane.reset();
    lanes = admit(applicants, lanes_, at_rest, options_.capacity);
  }
  if (lanes) {
    placing.lanes = std::move(*lanes);
    return placing;
  }
  std::string message = "the contract does not fit beside the admitted ones";
  if (auto nearest = nearest_contract(applicants, lanes_, at_rest, options_.capacity)) {
    message += "; the nearest that does: " + describe_difference(candidate.contract, *nearest);
  }
  return Error{ErrorCode::kUnsatisfiable, message};
}

Result<SessionId> Policy::open(const Contract& contract, FamilyPtr family, std::int64_t now_us) {
  Result<Applicant> candidate = applicant(contract, *family);
  if (!candidate) return candidate.error();
  const Result<Placing> placing = place(*candidate, nullptr);
  if (!placing) return placing.error();

  auto free = std::find(sessions_.begin(), sessions_.end(), nullptr);
  if (free == sessions_.end()) free = sessions_.insert(free, nullptr);
  dispatch_.resize(sessions_.size());
  expected_.reserve(sessions_.size());
  const auto id = static_cast<SessionId>(free - sessions_.begin());
  auto session = std::make_unique<Session>();
  session->family = std::move(family);
  Session& opened = *session;
  *free = std::move(session);
  settle(opened, *candidate, *placing, now_us);
  opened.published = this->session(id);
  return id;
}

Result<void> Policy::change(SessionId id, const Contract& contract, std::int64_t now_us) {
  Session& session = *sessions_[id];
  Result<Applicant> candidate = applicant(contract, *session.family);
  if (!candidate) return candidate.error();
  candidate->prepare_us = session.plan.prepare_us;
  const Result<Placing> placing = place(*candidate, &session);
  if (!placing) return placing.error();
  settle(session, *candidate, *placing, now_us);
  return {};
}

/// Puts the contract in force: moves the others where admission had to, then starts the session on the best
/// of the lanes that admit it.
void Policy::settle(Session& session, const Applicant& as, const Placing& placing, std::int64_t now_us) {
  session.contract = as.contract;
  session.processor = as.processor;
  session.rate = TokenBucket(as.contract.period_us.value_or(0), kBurst);
  session.plan.period_us = as.period_us;
  session.plan.prepare_us = as.prepare_us;
  session.lane = kNowhere;
  bool moved = false;
  for (std::size_t i = 0; i < placing.kept.size(); ++i) {
    if (placing.kept[i]->lane == placing.lanes[i]) continue;
    start_on(*placing.kept[i], placing.lanes[i], now_us, PlanReason::kMoved);
    moved = true;
  }
  std::uint32_t best = placing.lanes.back();
  if (!moved) {  // with the others where they are, another lane may admit it too and give more
    double most = gain(session, best, now_us);
    for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
      if (lane == placing.lanes.back() || !admits(as, &session, lane)) continue;
      if (const double here = gain(session, lane, now_us); here > most) {
        most = here;
        best = lane;
      }
    }
  }
  start_on(session, best, now_us, PlanReason::kOpened);
}

bool Policy::admits(const Applicant& candidate, const Session* without, std::uint32_t lane) const {
  std::vector<Applicant> applicants;
  for (const Session* session : kept(without)) applicants.push_back(as_admitted(*session));
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
  if (!allowed(session, session.lane) && lanes_[session.lane].usable) {
    evict(session, now_us);  // it no longer runs there
    return refresh();
  }
  const LevelRange range =
      acceptable_levels(session.contract, *session.family, lanes_[session.lane].processor);
  const bool as_before =
      levels == session.family->levels.size() && range.floor == session.plan.floor &&
      range.top == session.plan.top &&
      (session.plan.ceiling == range.floor ||
       session.family->levels[session.plan.ceiling].offered(lanes_[session.lane].processor));
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
  std::vector<Applicant> applicants;
  for (const Session* other : kept(&session)) applicants.push_back(as_admitted(*other));
  applicants.push_back(as_admitted(session));
  applicants.back().lane.reset();
  return nearest_contract(applicants, lanes_, slowdowns_, options_.capacity);
}

}  // namespace dofa::policy
