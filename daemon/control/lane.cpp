// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/lane.hpp"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <exception>

namespace dofa::control {
namespace {

/// How long a lane sleeps where nothing wakes it; only bounds how late it notices that it should stop.
constexpr std::int64_t kPatienceUs = 1'000'000;

/// What `act` returns; an exception (memory) is the frames' own failure and not the service's.
template <class Act>
auto contain(Act&& act) -> decltype(act()) {
  try {
    return act();
  } catch (const std::exception& fault) {
    return Error{ErrorCode::kFailed, std::string("running the frame: ") + fault.what()};
  }
}

}  // namespace

/// Frames that run at once. Those that have been answered are taken out, so that whatever happens to the
/// rest, nobody is answered twice.
struct Lane::Batch {
  struct Entry {
    Frame* frame = nullptr;
    std::shared_ptr<Session> session;  ///< outlives the frame, which done() may delete
    std::int64_t start_us = 0;
  };
  std::array<Entry, policy::kMaxBatch> entries;
  std::uint32_t count = 0;

  void remove(std::uint32_t index) {
    std::move(entries.begin() + index + 1, entries.begin() + count, entries.begin() + index);
    --count;
  }
};

Lane::Lane(LaneSetup setup, Scheduler& scheduler) : setup_(std::move(setup)), scheduler_(scheduler) {
  thread_ = std::thread([this] { work(); });
}

Lane::~Lane() {
  thread_.join();
}

void end_frame(Frame& frame, const Error& error) {
  frame.session.reset();
  frame.done(&error, frame.answer);
}

void Lane::work() {
  pthread_setname_np(pthread_self(), setup_.thread.c_str());
  if (setup_.prepare_thread) setup_.prepare_thread();
  while (true) {
    const Job job = scheduler_.next(setup_.index, kPatienceUs);
    switch (job.kind) {
      case Job::Kind::kStop:
        if (setup_.end_thread) setup_.end_thread();
        return;
      case Job::Kind::kIdle:
        if (job.task) job.task();
        break;
      case Job::Kind::kDrop:
        end_frame(*job.frame, {ErrorCode::kMissedDeadline, policy::describe(job.reason)});
        break;
      case Job::Kind::kRun:
        serve(job);
        break;
    }
  }
}

bool Lane::is_loss(const Error& error) const {
  return setup_.lost && (error.code == ErrorCode::kNotReady || error.code == ErrorCode::kResourceExhausted);
}

void Lane::serve(const Job& job) {
  const std::int64_t start = now_us();
  busy_since_us_.store(start, std::memory_order_relaxed);
  Batch batch;
  for (; batch.count < job.count; ++batch.count) {
    Frame* frame = job.batch[batch.count];
    batch.entries[batch.count] = {frame, std::move(frame->session), start};
    frame->answer.level = job.level;
    frame->answer.processor = setup_.processor;
  }
  engine::Runner* runner = batch.entries[0].session->family().runners[setup_.index].get();
  // The policy sends nothing where a family does not run; were it wrong, the processor is none the worse for
  // it.
  const Result<void> prepared = runner != nullptr
                                    ? contain([&] { return prepare(batch, *runner, job.level); })
                                    : Error{ErrorCode::kFailed, "no runner on " + setup_.processor};
  if (!prepared || batch.count == 0) {
    busy_since_us_.store(0, std::memory_order_relaxed);
    if (!prepared) end(batch, prepared.error());
    return;
  }
  const std::int64_t ready = now_us();
  const auto logits = contain([&] { return runner->run_batch(job.level, batch.count); });
  const std::int64_t inference_us = now_us() - ready;
  busy_since_us_.store(0, std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < batch.count; ++i) batch.entries[i].frame->answer.inference_us = inference_us;
  if (logits) {
    answer(batch, *logits);
  } else {
    end(batch, logits.error());
  }
}

void Lane::end(Batch& batch, const Error& error) {
  if (is_loss(error)) return give_back(batch, error);
  refuse(batch, error);
}

/// Puts the frames into the runner. One that cannot be is answered with its own error and leaves the batch;
/// an error of this function's own says that the processor is gone.
Result<void> Lane::prepare(Batch& batch, engine::Runner& runner, std::uint32_t level) {
  for (std::uint32_t slot = 0; slot < batch.count;) {
    Batch::Entry& entry = batch.entries[slot];
    FrameAnswer& answer = entry.frame->answer;
    entry.start_us = now_us();
    answer.queue_us = entry.start_us - entry.frame->arrival_us;
    const auto prepared = runner.prepare_in(slot, level, entry.frame->image);
    answer.preprocess_us = now_us() - entry.start_us;
    if (prepared) {
      ++slot;
      continue;
    }
    if (is_loss(prepared.error())) return prepared.error();
    scheduler_.dropped(*entry.session, entry.frame->arrival_us);
    entry.frame->done(&prepared.error(), answer);
    batch.remove(slot);
  }
  return {};
}

void Lane::answer(Batch& batch, std::span<const float> logits) {
  const std::size_t classes = logits.size() / batch.count;
  for (std::uint32_t i = 0; i < batch.count; ++i) {
    const Batch::Entry& entry = batch.entries[i];
    Frame& frame = *entry.frame;
    FrameAnswer& answer = frame.answer;
    answer.logits = logits.subspan(i * classes, classes);
    answer.top_count = static_cast<std::uint32_t>(
        engine::top_classes(answer.logits, std::span(answer.top).first(std::min(frame.top_k, kMaxTop))));
    scheduler_.finished(*entry.session, setup_.index, frame, entry.start_us, now_us(), batch.count, i);
    frame.done(nullptr, answer);
  }
}

void Lane::refuse(Batch& batch, const Error& error) {
  for (std::uint32_t i = 0; i < batch.count; ++i) {
    const Batch::Entry& entry = batch.entries[i];
    scheduler_.dropped(*entry.session, entry.frame->arrival_us);
    entry.frame->done(&error, entry.frame->answer);
  }
}

/// The processor is gone: as if nobody had taken the frames yet, others may.
void Lane::give_back(Batch& batch, const Error& error) {
  std::array<Frame*, policy::kMaxBatch> frames{};
  for (std::uint32_t i = 0; i < batch.count; ++i) {
    frames[i] = batch.entries[i].frame;
    frames[i]->session = std::move(batch.entries[i].session);
  }
  setup_.lost(error, std::span<Frame* const>(frames.data(), batch.count));
}

}  // namespace dofa::control
