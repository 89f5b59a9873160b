// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/lane.hpp"

#include <pthread.h>

#include <algorithm>
#include <string>

namespace dofa::control {
namespace {

/// How long a lane sleeps where nothing wakes it; only bounds how late it notices that it should stop.
constexpr std::int64_t kPatienceUs = 1'000'000;

}  // namespace

Lane::Lane(std::uint32_t index, Scheduler& scheduler, std::function<void()> prepare_thread)
    : index_(index), scheduler_(scheduler) {
  thread_ = std::thread([this, prepare = std::move(prepare_thread)] { work(prepare); });
}

Lane::~Lane() { thread_.join(); }

void end_frame(Frame& frame, const Error& error) {
  frame.session.reset();
  frame.done(&error, frame.answer);
}

void Lane::work(const std::function<void()>& prepare_thread) {
  pthread_setname_np(pthread_self(), ("lane-cpu-" + std::to_string(index_)).c_str());
  prepare_thread();
  while (true) {
    const Job job = scheduler_.next(index_, kPatienceUs);
    switch (job.kind) {
      case Job::Kind::kStop:
        return;
      case Job::Kind::kIdle:
        if (job.idle_task) job.idle_task();
        break;
      case Job::Kind::kDrop:
        end_frame(*job.frame, {ErrorCode::kMissedDeadline, policy::describe(job.reason)});
        break;
      case Job::Kind::kRun:
        serve(*job.frame, job.level);
        break;
    }
  }
}

void Lane::serve(Frame& frame, std::uint32_t level) {
  const std::int64_t start = now_us();
  busy_since_us_.store(start, std::memory_order_relaxed);
  const std::shared_ptr<Session> session = std::move(frame.session);  // outlives the frame, which done() may delete
  FrameAnswer& answer = frame.answer;
  answer.level = level;
  answer.queue_us = start - frame.arrival_us;
  engine::Runner& runner = *session->family().runners[index_];
  const auto prepared = runner.prepare(level, frame.image);
  const std::int64_t ready = now_us();
  answer.preprocess_us = ready - start;
  const auto logits = prepared ? runner.run(level) : prepared.error();
  answer.inference_us = now_us() - ready;
  busy_since_us_.store(0, std::memory_order_relaxed);
  if (!logits) {
    scheduler_.dropped(*session);
    frame.done(&logits.error(), answer);
    return;
  }
  answer.logits = *logits;
  answer.top_count = static_cast<std::uint32_t>(
      engine::top_classes(*logits, std::span(answer.top).first(std::min(frame.top_k, kMaxTop))));
  scheduler_.finished(*session, index_, frame, start, now_us());
  frame.done(nullptr, answer);
}

}  // namespace dofa::control
