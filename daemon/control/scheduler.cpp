// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/scheduler.hpp"

#include <algorithm>
#include <utility>

#include "daemon/control/session.hpp"

namespace dofa::control {

Scheduler::Scheduler(const std::vector<policy::ProcessorSpec>& processors, std::size_t capacity,
                     std::function<void()> hurry)
    : policy_(processors), hurry_(std::move(hurry)) {
  for (std::uint32_t lane = 0; lane < policy_.lanes(); ++lane) {
    lanes_.push_back(std::make_unique<LaneQueue>());
    lanes_.back()->waiting.reserve(capacity);
    lanes_.back()->frames.reserve(capacity);
  }
}

Result<policy::SessionId> Scheduler::open(const policy::Contract& contract, policy::FamilyPtr profile) {
  const std::lock_guard lock(mutex_);
  auto id = policy_.open(contract, std::move(profile), now_us());
  if (id && sessions_.size() <= *id) sessions_.resize(*id + 1);
  if (id) follow_policy();
  return id;
}

void Scheduler::attach(const std::shared_ptr<Session>& session) {
  const std::lock_guard lock(mutex_);
  sessions_[session->policy_id()] = session;
  publish_place(*session);
  session->first_level = session->level();
  session->first_processor = session->processor();
}

Result<void> Scheduler::change(const Session& session, const policy::Contract& contract) {
  const std::lock_guard lock(mutex_);
  if (session.closed()) return Error{ErrorCode::kCancelled, "the session is closed"};
  auto changed = policy_.change(session.policy_id(), contract, now_us());
  if (changed) follow_policy();
  return changed;
}

std::vector<Frame*> Scheduler::close(const Session& session) {
  std::vector<Frame*> frames;
  const std::lock_guard lock(mutex_);
  for (const auto& queue : lanes_) {
    for (std::size_t i = queue->frames.size(); i-- > 0;) {
      if (queue->frames[i]->session.get() == &session) frames.push_back(take(*queue, i));
    }
  }
  policy_.close(session.policy_id());
  sessions_[session.policy_id()].reset();
  return frames;
}

void Scheduler::set_profile(const Session& session, policy::FamilyPtr profile) {
  const std::lock_guard lock(mutex_);
  if (session.closed()) return;
  policy_.set_family(session.policy_id(), std::move(profile), now_us());
  follow_policy();
}

policy::Contract Scheduler::contract(const Session& session) const {
  const std::lock_guard lock(mutex_);
  return session.closed() ? policy::Contract{} : policy_.contract(session.policy_id());
}

policy::SessionStats Scheduler::stats(const Session& session) const {
  const std::lock_guard lock(mutex_);
  return session.closed() ? policy::SessionStats{} : policy_.stats(session.policy_id());
}

Result<void> Scheduler::submit(Frame& frame, std::uint32_t queue_limit) {
  const auto sleeper = enqueue(frame, queue_limit);
  if (!sleeper) return sleeper.error();
  if (*sleeper != nullptr)
    (*sleeper)->sleep.wake();  // without the lock, or it would wake up only to wait for it
  return {};
}

Result<Scheduler::LaneQueue*> Scheduler::enqueue(Frame& frame, std::uint32_t queue_limit) {
  const std::lock_guard lock(mutex_);
  Session& session = *frame.session;
  if (stopping_ || session.closed()) return Error{ErrorCode::kCancelled, "the session is closed"};
  const policy::SessionId id = session.policy_id();
  const policy::Arrival arrival = policy_.arrived(id, frame.arrival_us);
  frame.answer.sequence = policy_.stats(id).frames();
  if (session.waiting >= queue_limit) {
    count_dropped(session, frame.arrival_us);
    return Error{ErrorCode::kResourceExhausted,
                 "limits.queue: " + std::to_string(queue_limit) + " frames of this session wait already"};
  }
  const std::uint32_t lane = policy_.session(id).lane;
  if (!policy_.usable(lane)) {
    count_dropped(session, frame.arrival_us);
    return Error{ErrorCode::kNotReady, policy_.processor_name(policy_.processor_of(lane)) + " was lost"};
  }
  // Who states no period has no rate to exceed: one waiting frame at a time counts, the others are
  // background.
  frame.background = arrival.background || (session.waiting > 0 && !policy_.contract(id).period_us);
  ++session.waiting;
  frame.deadline_us = arrival.deadline_us;
  if (arrival.deadline_us != policy::kNoDeadline) {
    // A frame may relax the contract's deadline, never tighten it.
    frame.deadline_us = std::max(frame.deadline_us, frame.arrival_us + frame.relative_deadline_us);
  }
  insert(lane, {id, frame.deadline_us, session.prepare.expected_us(frame.image.layout), frame.background},
         frame);
  return std::exchange(lanes_[lane]->asleep, false) ? lanes_[lane].get() : nullptr;
}

void Scheduler::wake(LaneQueue& queue) {
  if (std::exchange(queue.asleep, false)) queue.sleep.wake();
}

void Scheduler::insert(std::uint32_t lane, const policy::QueuedFrame& entry, Frame& frame) {
  LaneQueue& queue = *lanes_[lane];
  const auto at = std::upper_bound(
      queue.waiting.begin(), queue.waiting.end(), entry,
      [](const auto& left, const auto& right) { return left.deadline_us < right.deadline_us; });
  queue.frames.insert(queue.frames.begin() + (at - queue.waiting.begin()), &frame);
  queue.waiting.insert(at, entry);
}

Frame* Scheduler::take(LaneQueue& queue, std::size_t index) {
  Frame* frame = queue.frames[index];
  queue.frames.erase(queue.frames.begin() + static_cast<std::ptrdiff_t>(index));
  queue.waiting.erase(queue.waiting.begin() + static_cast<std::ptrdiff_t>(index));
  --frame->session->waiting;
  return frame;
}

void Scheduler::count_refused(Session& session, std::uint64_t frames) {
  const std::lock_guard lock(mutex_);
  if (session.closed()) return;
  const std::int64_t now = now_us();
  for (; frames > 0; --frames) {
    (void)policy_.arrived(session.policy_id(), now);
    count_dropped(session, now);
  }
}

RecentFrames Scheduler::recent_frames(const Session& session, std::uint64_t count) const {
  const std::lock_guard lock(mutex_);
  return {session.log.count(), session.log.after(count)};
}

std::size_t Scheduler::waiting(std::uint32_t processor) const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    if (policy_.processor_of(lane) == processor) count += lanes_[lane]->frames.size();
  }
  return count;
}

std::size_t Scheduler::waiting() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& queue : lanes_) count += queue->frames.size();
  return count;
}

void Scheduler::set_bell_listener(BellListener* listener) {
  const std::lock_guard lock(bells_mutex_);
  bell_listener_ = listener;
}

void Scheduler::watch_bell(const Session& session, int fd, std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  // The lane may change with the next plan; then this one only wakes up for nothing.
  if (!session.closed()) lanes_[policy_.session(session.policy_id()).lane]->sleep.watch(fd, id);
}

void Scheduler::unwatch_bell(int fd) {
  for (const auto& queue : lanes_) queue->sleep.unwatch(fd);
}

void Scheduler::load(std::uint32_t processor, double expected_slowdown, std::int64_t now) {
  const std::lock_guard lock(mutex_);
  policy_.load(processor, expected_slowdown, now);
}

void Scheduler::suspended(std::int64_t now) {
  const std::lock_guard lock(mutex_);
  policy_.suspended(now);
}

std::vector<SessionChange> Scheduler::plan(std::int64_t now) {
  std::vector<SessionChange> changes;
  const std::lock_guard lock(mutex_);
  for (const policy::PlanChange& change : policy_.plan(now)) {
    auto session = sessions_[change.session].lock();
    if (!session) continue;
    SessionChange told{std::move(session),
                       change.from.ceiling,
                       change.from.ceiling != change.to.ceiling,
                       policy_.processor_of(change.from.lane) != policy_.processor_of(change.to.lane),
                       change.from.met && !change.to.met,
                       !change.from.met && change.to.met,
                       std::nullopt,
                       reason_of(change)};
    if (told.unmet) told.nearest = policy_.nearest(change.session);
    changes.push_back(std::move(told));
  }
  follow_policy();
  return changes;
}

double Scheduler::slowdown(std::uint32_t processor) const {
  const std::lock_guard lock(mutex_);
  return policy_.slowdown(processor).slowdown();
}

std::string Scheduler::reason_of(const policy::PlanChange& change) const {
  const std::uint32_t from = policy_.processor_of(change.from.lane);
  const std::uint32_t to = policy_.processor_of(change.to.lane);
  if (change.reason == policy::PlanReason::kLost) return policy_.processor_name(from) + " was lost";
  if (change.reason == policy::PlanReason::kMoved && from != to)
    return policy_.processor_name(to) + " suits better";
  return policy::describe(change.reason);
}

void Scheduler::publish_place(Session& session) const {
  const policy::SessionPlan plan = policy_.session(session.policy_id());
  session.set_place(plan.ceiling, policy_.processor_of(plan.lane));
}

void Scheduler::follow_policy() {
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    LaneQueue& queue = *lanes_[lane];
    for (std::size_t i = queue.frames.size(); i-- > 0;) {
      const policy::QueuedFrame entry = queue.waiting[i];
      const std::uint32_t belongs = policy_.session(entry.session).lane;
      if (belongs == lane) continue;
      Frame* frame = take(queue, i);
      ++frame->session->waiting;
      insert(belongs, entry, *frame);
      wake(*lanes_[belongs]);
    }
  }
  for (policy::SessionId id = 0; id < sessions_.size(); ++id) {
    if (const auto session = sessions_[id].lock()) publish_place(*session);
  }
}

}  // namespace dofa::control
