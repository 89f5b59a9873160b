// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/scheduler.hpp"

#include <algorithm>
#include <chrono>

#include "daemon/control/session.hpp"

namespace dofa::control {

Scheduler::Scheduler(std::uint32_t cpu_lanes, std::size_t capacity) : policy_({{"cpu", cpu_lanes}}) {
  for (std::uint32_t lane = 0; lane < cpu_lanes; ++lane) {
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
  session->set_level(policy_.session(session->policy_id()).ceiling);
  session->first_level = session->level();
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
  const std::lock_guard lock(mutex_);
  Session& session = *frame.session;
  if (stopping_ || session.closed()) return Error{ErrorCode::kCancelled, "the session is closed"};
  const policy::SessionId id = session.policy_id();
  const policy::Arrival arrival = policy_.arrived(id, frame.arrival_us);
  frame.answer.sequence = policy_.stats(id).frames();
  if (session.waiting >= queue_limit) {
    policy_.dropped(id);
    return Error{ErrorCode::kResourceExhausted,
                 "limits.queue: " + std::to_string(queue_limit) + " frames of this session wait already"};
  }
  // Who states no period has no rate to exceed: one waiting frame at a time counts, the others are background.
  frame.background = arrival.background || (session.waiting > 0 && !policy_.contract(id).period_us);
  ++session.waiting;
  frame.deadline_us = arrival.deadline_us;
  if (arrival.deadline_us != policy::kNoDeadline) {
    // A frame may relax the contract's deadline, never tighten it.
    frame.deadline_us = std::max(frame.deadline_us, frame.arrival_us + frame.relative_deadline_us);
  }
  const std::uint32_t lane = policy_.session(id).lane;
  insert(lane, {id, frame.deadline_us, session.prepare.expected_us(frame.image.layout), frame.background}, frame);
  lanes_[lane]->wake.notify_one();
  return {};
}

void Scheduler::insert(std::uint32_t lane, const policy::QueuedFrame& entry, Frame& frame) {
  LaneQueue& queue = *lanes_[lane];
  const auto at = std::upper_bound(queue.waiting.begin(), queue.waiting.end(), entry,
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

void Scheduler::count_refused(const Session& session, std::uint64_t frames) {
  const std::lock_guard lock(mutex_);
  if (session.closed()) return;
  for (; frames > 0; --frames) {
    (void)policy_.arrived(session.policy_id(), now_us());
    policy_.dropped(session.policy_id());
  }
}

std::size_t Scheduler::waiting() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& queue : lanes_) count += queue->frames.size();
  return count;
}

Job Scheduler::next(std::uint32_t lane, std::int64_t patience_us) {
  std::unique_lock lock(mutex_);
  LaneQueue& queue = *lanes_[lane];
  queue.wake.wait_for(lock, std::chrono::microseconds(patience_us),
                      [&] { return stopping_ || !queue.frames.empty() || !queue.idle_tasks.empty(); });
  if (stopping_) return {Job::Kind::kStop, nullptr, 0, {}, {}};
  const policy::DispatchDecision decision = policy_.pick(lane, now_us(), queue.waiting);
  using Action = policy::DispatchDecision::Action;
  if (decision.action == Action::kNothing) {
    Job idle;
    if (queue.frames.empty() && !queue.idle_tasks.empty()) {
      idle.idle_task = std::move(queue.idle_tasks.front());
      queue.idle_tasks.pop_front();
    }
    return idle;
  }
  Frame* frame = take(queue, decision.frame);
  if (decision.action == Action::kDrop) {
    policy_.dropped(frame->session->policy_id());
    frame->session->prepare.doubt();  // else one slow preparation could condemn every frame after it
  }
  return {decision.action == Action::kRun ? Job::Kind::kRun : Job::Kind::kDrop, frame, decision.level, decision.reason, {}};
}

void Scheduler::finished(Session& session, std::uint32_t lane, Frame& frame, std::int64_t started_us,
                         std::int64_t finished_us) {
  FrameAnswer& answer = frame.answer;
  answer.late = finished_us > frame.deadline_us;
  const std::lock_guard lock(mutex_);
  if (session.closed()) return;  // its place in the policy may be another's by now
  session.prepare.learn(frame.image.layout, static_cast<double>(answer.preprocess_us));
  policy_.finished({session.policy_id(), lane, answer.level, frame.arrival_us, started_us, finished_us, frame.deadline_us,
                    static_cast<double>(answer.preprocess_us), static_cast<double>(answer.inference_us)});
}

void Scheduler::dropped(const Session& session) {
  const std::lock_guard lock(mutex_);
  if (!session.closed()) policy_.dropped(session.policy_id());
}

void Scheduler::when_idle(std::uint32_t lane, std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  lanes_[lane]->idle_tasks.push_back(std::move(task));
  lanes_[lane]->wake.notify_one();
}

void Scheduler::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  for (const auto& queue : lanes_) queue->wake.notify_all();
}

std::vector<Frame*> Scheduler::take_back() {
  std::vector<Frame*> frames;
  const std::lock_guard lock(mutex_);
  for (const auto& queue : lanes_) {
    while (!queue->frames.empty()) frames.push_back(take(*queue, queue->frames.size() - 1));
  }
  return frames;
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
    SessionChange told{std::move(session), change.from.ceiling, change.from.ceiling != change.to.ceiling,
                       change.from.met && !change.to.met, !change.from.met && change.to.met, std::nullopt,
                       policy::describe(change.reason)};
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
      lanes_[belongs]->wake.notify_one();
    }
  }
  for (policy::SessionId id = 0; id < sessions_.size(); ++id) {
    if (const auto session = sessions_[id].lock()) session->set_level(policy_.session(id).ceiling);
  }
}

}  // namespace dofa::control
