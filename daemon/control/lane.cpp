// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/lane.hpp"

#include <pthread.h>

#include <algorithm>
#include <string>

namespace dofa::control {
namespace {

/// Heap order: the frame that is to run first is at the front.
bool runs_later(const Frame* left, const Frame* right) {
  if (left->deadline_us != right->deadline_us) return left->deadline_us > right->deadline_us;
  return left->arrival_us > right->arrival_us;
}

}  // namespace

Lane::Lane(std::uint32_t index, std::size_t capacity, std::function<void()> prepare_thread) : index_(index) {
  queue_.reserve(capacity);
  thread_ = std::thread([this, prepare = std::move(prepare_thread)] { work(prepare); });
}

Lane::~Lane() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  for (Frame* frame : queue_) end(*frame, {ErrorCode::kCancelled, "the service is stopping"});
}

void Lane::submit(Frame& frame) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(&frame);
    std::push_heap(queue_.begin(), queue_.end(), runs_later);
  }
  wake_.notify_one();
}

void Lane::cancel(const Session& session) {
  std::vector<Frame*> cancelled;
  {
    const std::lock_guard lock(mutex_);
    const auto is_others = [&](const Frame* frame) { return frame->session.get() != &session; };
    const auto first = std::partition(queue_.begin(), queue_.end(), is_others);
    cancelled.assign(first, queue_.end());
    queue_.erase(first, queue_.end());
    std::make_heap(queue_.begin(), queue_.end(), runs_later);
  }
  for (Frame* frame : cancelled) end(*frame, {ErrorCode::kCancelled, "the session was closed"});
}

std::size_t Lane::waiting() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

void Lane::work(const std::function<void()>& prepare_thread) {
  pthread_setname_np(pthread_self(), ("lane-cpu-" + std::to_string(index_)).c_str());
  prepare_thread();
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    std::pop_heap(queue_.begin(), queue_.end(), runs_later);
    Frame* frame = queue_.back();
    queue_.pop_back();
    lock.unlock();
    serve(*frame);
    lock.lock();
  }
}

void Lane::end(Frame& frame, const Error& error) {
  const std::shared_ptr<Session> session = std::move(frame.session);
  session->settle_dropped();
  frame.done(&error, frame.answer);
}

void Lane::serve(Frame& frame) {
  const std::int64_t start = now_us();
  const std::shared_ptr<Session> session = std::move(frame.session);  // outlives the frame, which done() may delete
  if (start > frame.deadline_us && session->contract().when_late == policy::WhenLate::kDrop) {
    frame.session = session;
    end(frame, {ErrorCode::kMissedDeadline, "its deadline had passed before a processor was free"});
    return;
  }
  busy_since_us_.store(start, std::memory_order_relaxed);
  FrameAnswer& answer = frame.answer;
  answer.level = session->level();
  answer.queue_us = start - frame.arrival_us;
  engine::Runner& runner = *session->family().runners[index_];
  const auto prepared = runner.prepare(answer.level, frame.image);
  const std::int64_t ready = now_us();
  answer.preprocess_us = ready - start;
  const auto logits = prepared ? runner.run(answer.level) : prepared.error();
  const std::int64_t finished = now_us();
  busy_since_us_.store(0, std::memory_order_relaxed);
  if (!logits) {
    frame.session = session;
    end(frame, logits.error());
    return;
  }
  answer.inference_us = finished - ready;
  answer.top_count = static_cast<std::uint32_t>(
      engine::top_classes(*logits, std::span(answer.top).first(std::min(frame.top_k, kMaxTop))));
  session->settle(answer, frame.deadline_us, now_us());
  frame.done(nullptr, answer);
}

}  // namespace dofa::control
