// SPDX-License-Identifier: Apache-2.0
// The lanes' side of the scheduler: what runs next, what became of it, and processors that come and go.
#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "daemon/control/scheduler.hpp"
#include "daemon/control/session.hpp"

namespace dofa::control {
namespace {

/// Of bells before a lane looks at its frames: enough for all the sessions of an ordinary service. What is
/// left rings on when the lane sleeps again.
constexpr int kMostRounds = 4;

constexpr std::int64_t kHurryUs =
    10'000;  // between two plans out of turn: where no move helps, frames stay late

/// A duration in µs where four bytes are enough: over an hour reads as an hour and 11 minutes.
std::uint32_t saturated(std::int64_t us) {
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(us, 0, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

Job Scheduler::next(std::uint32_t lane, std::int64_t patience_us) {
  LaneQueue& queue = *lanes_[lane];
  const auto lock = sleep_until_work(queue, patience_us);
  if (stopping_) {
    Job stop;
    stop.kind = Job::Kind::kStop;
    return stop;
  }
  if (!queue.urgent_tasks.empty()) {
    Job urgent;
    urgent.task = std::move(queue.urgent_tasks.front());
    queue.urgent_tasks.pop_front();
    return urgent;
  }
  const policy::DispatchDecision decision = policy_.pick(lane, now_us(), queue.waiting);
  using Action = policy::DispatchDecision::Action;
  if (decision.action == Action::kNothing) {
    Job idle;
    if (queue.frames.empty() && !queue.idle_tasks.empty()) {
      idle.task = std::move(queue.idle_tasks.front());
      queue.idle_tasks.pop_front();
    }
    return idle;
  }
  if (decision.action == Action::kRun) return take_run(queue, decision);
  Job drop;
  drop.kind = Job::Kind::kDrop;
  drop.frame = take(queue, decision.frame);
  drop.reason = decision.reason;
  count_dropped(*drop.frame->session, drop.frame->arrival_us);
  drop.frame->session->prepare.doubt();  // else one slow preparation could condemn every frame after it
  return drop;
}

Job Scheduler::take_run(LaneQueue& queue, const policy::DispatchDecision& decision) {
  Job job;
  job.kind = Job::Kind::kRun;
  job.level = decision.level;
  job.reason = decision.reason;
  job.count = decision.count;
  if (decision.count == 1) {
    job.frame = job.batch[0] = take(queue, decision.frame);
    return job;
  }
  std::array<std::size_t, policy::kMaxBatch> places = decision.batch;
  for (std::uint32_t i = 0; i < decision.count; ++i) job.batch[i] = queue.frames[places[i]];
  job.frame = job.batch[0];
  for (std::uint32_t left = decision.count; left > 0;) {  // from behind: the places before it stay
    const auto last = std::max_element(places.begin(), places.begin() + left);
    (void)take(queue, *last);
    *last = places[--left];
  }
  return job;
}

void Scheduler::hear(std::span<const std::uint64_t> rung) {
  const std::lock_guard bells(bells_mutex_);
  for (const std::uint64_t id : rung) {
    if (bell_listener_ != nullptr) bell_listener_->rung(id);
  }
}

std::unique_lock<std::mutex> Scheduler::sleep_until_work(LaneQueue& queue, std::int64_t patience_us) {
  const std::int64_t until_us = now_us() + patience_us;
  std::unique_lock lock(mutex_);
  while (!stopping_ && queue.frames.empty() && queue.idle_tasks.empty() && queue.urgent_tasks.empty()) {
    const std::int64_t left_us = until_us - now_us();
    if (left_us <= 0) break;
    queue.asleep = true;
    lock.unlock();
    auto rung = queue.sleep.wait(left_us);
    lock.lock();
    queue.asleep = false;
    if (rung.empty()) continue;
    lock.unlock();
    hear(rung);
    for (int round = 1; round < kMostRounds && rung.size() >= LaneSleep::kMostBells; ++round)
      hear(rung = queue.sleep.wait(0));
    lock.lock();
  }
  return lock;
}

void Scheduler::finished(Session& session, std::uint32_t lane, Frame& frame, std::int64_t started_us,
                         std::int64_t finished_us, std::uint32_t batch, std::uint32_t member) {
  FrameAnswer& answer = frame.answer;
  answer.late = finished_us > frame.deadline_us;
  const std::lock_guard lock(mutex_);
  if (session.closed()) return;  // its place in the policy may be another's by now
  session.log.add({.arrival_us = frame.arrival_us,
                   .queue_us = saturated(started_us - frame.arrival_us),
                   .service_us = saturated(finished_us - started_us),
                   .level = answer.level,
                   .outcome = answer.late ? FrameRecord::Outcome::kLate : FrameRecord::Outcome::kInTime});
  session.prepare.learn(frame.image.layout, static_cast<double>(answer.preprocess_us));
  policy_.finished({session.policy_id(), lane, answer.level, frame.arrival_us, started_us, finished_us,
                    frame.deadline_us, static_cast<double>(answer.preprocess_us),
                    static_cast<double>(answer.inference_us), batch, member == 0});
  if (answer.late) hurry_if_fleeing(session, finished_us);
}

/// The next frame should not meet the busy processor again because a tick was not yet due.
void Scheduler::hurry_if_fleeing(const Session& session, std::int64_t now) {
  if (now - hurried_us_ < kHurryUs || !policy_.would_flee(session.policy_id(), now)) return;
  hurried_us_ = now;
  plan_wish_.store(true, std::memory_order_relaxed);
  if (hurry_) hurry_();
}

void Scheduler::dropped(Session& session, std::int64_t arrival_us) {
  const std::lock_guard lock(mutex_);
  if (session.closed()) return;
  count_dropped(session, arrival_us);
}

void Scheduler::count_dropped(Session& session, std::int64_t arrival_us) {
  policy_.dropped(session.policy_id());
  session.log.add({.arrival_us = arrival_us, .outcome = FrameRecord::Outcome::kDropped});
  hurry_if_fleeing(session, now_us());
}

void Scheduler::when_idle(std::uint32_t lane, std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  lanes_[lane]->idle_tasks.push_back(std::move(task));
  wake(*lanes_[lane]);
}

void Scheduler::soon(std::uint32_t lane, std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  lanes_[lane]->urgent_tasks.push_back(std::move(task));
  wake(*lanes_[lane]);
}

void Scheduler::stop() {
  std::vector<std::function<void()>>
      unrun;  // whoever waits for one learns that it will not come, without the lock
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  for (const auto& queue : lanes_) {
    std::move(queue->urgent_tasks.begin(), queue->urgent_tasks.end(), std::back_inserter(unrun));
    queue->urgent_tasks.clear();
    wake(*queue);
  }
}

std::vector<Frame*> Scheduler::take_back() {
  std::vector<Frame*> frames;
  const std::lock_guard lock(mutex_);
  for (const auto& queue : lanes_) {
    while (!queue->frames.empty()) frames.push_back(take(*queue, queue->frames.size() - 1));
  }
  return frames;
}

std::vector<Frame*> Scheduler::lose(std::uint32_t processor, std::span<Frame* const> at_hand) {
  std::vector<Frame*> stranded;
  const std::lock_guard lock(mutex_);
  policy_.set_usable(processor, false, now_us());
  for (Frame* frame : at_hand) {
    Session& session = *frame->session;
    if (stopping_ || session.closed()) {
      stranded.push_back(frame);
      continue;
    }
    const policy::SessionId id = session.policy_id();
    const std::uint32_t lane = policy_.session(id).lane;
    ++session.waiting;
    insert(lane,
           {id, frame->deadline_us, session.prepare.expected_us(frame->image.layout), frame->background},
           *frame);
    wake(*lanes_[lane]);
  }
  follow_policy();
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    LaneQueue& queue = *lanes_[lane];
    while (policy_.processor_of(lane) == processor && !queue.frames.empty()) {
      Frame* frame = take(queue, queue.frames.size() - 1);
      count_dropped(*frame->session, frame->arrival_us);
      stranded.push_back(frame);
    }
  }
  return stranded;
}

void Scheduler::restore(std::uint32_t processor) {
  const std::lock_guard lock(mutex_);
  policy_.set_usable(processor, true, now_us());
}

}  // namespace dofa::control
