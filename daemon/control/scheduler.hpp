// SPDX-License-Identifier: Apache-2.0
// The meeting point of sessions, lanes and the policy: keeps each lane's waiting frames in deadline order, asks the policy
// which of them runs next at which level, and tells it what became of them. One lock guards the policy and the queues; it
// is held for decisions (microseconds), never across an inference and never while anyone is called back. Thread-safe.
// Frames are borrowed from submit() until they come out of next(), take_back() or stop().
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/control/frame.hpp"
#include "daemon/policy/policy.hpp"

namespace dofa::control {

/// What a lane does next.
struct Job {
  enum class Kind : std::uint8_t { kRun, kDrop, kIdle, kStop };
  Kind kind = Kind::kIdle;
  Frame* frame = nullptr;     ///< kRun, kDrop
  std::uint32_t level = 0;    ///< kRun
  policy::DispatchReason reason = policy::DispatchReason::kIdle;
  std::function<void()> idle_task;  ///< kIdle: may be empty
};

/// What a tick changed for one session.
struct SessionChange {
  std::shared_ptr<Session> session;
  std::uint32_t from_level = 0;
  bool level_changed = false;
  bool unmet = false;      ///< the contract can no longer be kept; `nearest` is what could be
  bool met_again = false;  ///< it can be kept again
  std::optional<policy::Contract> nearest;
  std::string reason;
};

class Scheduler {
 public:
  /// `capacity` frames wait without an allocation.
  Scheduler(std::uint32_t cpu_lanes, std::size_t capacity);

  // Sessions. open() and change() validate and admit: kInvalidArgument, kUnsatisfiable, kNotSupported.
  Result<policy::SessionId> open(const policy::Contract& contract, policy::FamilyPtr profile);
  void attach(const std::shared_ptr<Session>& session);  ///< once, after open()
  Result<void> change(const Session& session, const policy::Contract& contract);
  /// Forgets the session; its waiting frames are the caller's again.
  std::vector<Frame*> close(const Session& session);
  void set_profile(const Session& session, policy::FamilyPtr profile);
  [[nodiscard]] policy::Contract contract(const Session& session) const;
  [[nodiscard]] policy::SessionStats stats(const Session& session) const;

  // Frames.
  /// Counts, stamps deadline and rate, queues. kResourceExhausted where `queue_limit` frames of the session wait,
  /// kCancelled where it is closed; the frame is then still the caller's.
  Result<void> submit(Frame& frame, std::uint32_t queue_limit);
  /// Counts frames that never came: the application's ring was full.
  void count_refused(const Session& session, std::uint64_t frames);
  [[nodiscard]] std::size_t waiting() const;

  // Lanes. next() blocks for at most `patience_us` where nothing waits.
  Job next(std::uint32_t lane, std::int64_t patience_us);
  void finished(Session& session, std::uint32_t lane, Frame& frame, std::int64_t started_us, std::int64_t finished_us);
  void dropped(const Session& session);
  /// Runs `task` on a lane when nothing waits there.
  void when_idle(std::uint32_t lane, std::function<void()> task);
  void stop();  ///< every next() answers kStop; frames still waiting are handed back by take_back()
  std::vector<Frame*> take_back();

  // The control loop.
  void load(std::uint32_t processor, double expected_slowdown, std::int64_t now_us);
  void suspended(std::int64_t now_us);
  std::vector<SessionChange> plan(std::int64_t now_us);
  [[nodiscard]] double slowdown(std::uint32_t processor) const;

 private:
  struct LaneQueue {
    std::vector<policy::QueuedFrame> waiting;  ///< what the policy sees, in deadline order …
    std::vector<Frame*> frames;                ///< … and the frames themselves, in the same order
    std::deque<std::function<void()>> idle_tasks;
    std::condition_variable wake;
  };

  void insert(std::uint32_t lane, const policy::QueuedFrame& entry, Frame& frame);
  Frame* take(LaneQueue& queue, std::size_t index);
  /// Moves waiting frames to the lanes that the policy has moved their sessions to, and publishes levels.
  void follow_policy();

  mutable std::mutex mutex_;
  policy::Policy policy_;
  std::vector<std::unique_ptr<LaneQueue>> lanes_;
  std::vector<std::weak_ptr<Session>> sessions_;  ///< by policy id
  bool stopping_ = false;
};

}  // namespace dofa::control
