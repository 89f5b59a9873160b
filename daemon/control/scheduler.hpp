// SPDX-License-Identifier: Apache-2.0
// The meeting point of sessions, lanes and the policy: keeps each lane's waiting frames in deadline order,
// asks the policy which of them runs next at which level, and tells it what became of them. One lock guards
// the policy and the queues; it is held for decisions (microseconds), never across an inference and never
// while anyone is called back. Thread-safe. Frames are borrowed from submit() until they come out of next(),
// take_back() or stop().
#pragma once

#include <array>
#include <atomic>
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
#include "daemon/control/frame_log.hpp"
#include "daemon/control/lane_sleep.hpp"
#include "daemon/policy/policy.hpp"

namespace dofa::control {

/// What a lane does next.
struct Job {
  enum class Kind : std::uint8_t { kRun, kDrop, kIdle, kStop };
  Kind kind = Kind::kIdle;
  Frame* frame = nullptr;   ///< kRun, kDrop
  std::uint32_t level = 0;  ///< kRun
  policy::DispatchReason reason = policy::DispatchReason::kIdle;
  std::function<void()> task;                     ///< kIdle: may be empty
  std::uint32_t count = 1;                        ///< kRun: frames that run at once …
  std::array<Frame*, policy::kMaxBatch> batch{};  ///< … `frame` first
};

/// What a tick changed for one session.
struct SessionChange {
  std::shared_ptr<Session> session;
  std::uint32_t from_level = 0;
  bool level_changed = false;
  bool processor_changed = false;
  bool unmet = false;      ///< the contract can no longer be kept; `nearest` is what could be
  bool met_again = false;  ///< it can be kept again
  std::optional<policy::Contract> nearest;
  std::string reason;
};

class Scheduler {
 public:
  /// `capacity` frames wait without an allocation. `hurry` is called, with the lock held, when the next plan
  /// should not wait its turn; may be empty.
  Scheduler(const std::vector<policy::ProcessorSpec>& processors, std::size_t capacity,
            std::function<void()> hurry = {});

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
  /// Counts, stamps deadline and rate, queues. kResourceExhausted where `queue_limit` frames of the session
  /// wait, kCancelled where it is closed, kNotReady where its processor is lost and no other may serve it;
  /// the frame is then still the caller's.
  Result<void> submit(Frame& frame, std::uint32_t queue_limit);
  /// Counts frames that never came: the application's ring was full.
  void count_refused(Session& session, std::uint64_t frames);
  [[nodiscard]] RecentFrames recent_frames(const Session& session, std::uint64_t count) const;
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] std::size_t waiting(std::uint32_t processor) const;

  // Lanes. next() blocks for at most `patience_us` where nothing waits.
  Job next(std::uint32_t lane, std::int64_t patience_us);
  /// `batch` frames ran at once, and this is the `member`-th of them.
  void finished(Session& session, std::uint32_t lane, Frame& frame, std::int64_t started_us,
                std::int64_t finished_us, std::uint32_t batch = 1, std::uint32_t member = 0);
  /// A frame that was taken but could not be run.
  void dropped(Session& session, std::int64_t arrival_us);
  /// Runs `task` on a lane when nothing waits there.
  void when_idle(std::uint32_t lane, std::function<void()> task);
  /// Runs `task` on a lane as soon as it has finished its frame, whatever waits. After stop() it is dropped
  /// unrun.
  void soon(std::uint32_t lane, std::function<void()> task);
  void stop();  ///< every next() answers kStop; frames still waiting are handed back by take_back()
  std::vector<Frame*> take_back();

  // Doorbells that idle lanes listen to: whoever has the streams says which, and is told on the lane's
  // thread.
  void set_bell_listener(BellListener* listener);  ///< null: and no lane is inside the former one any more
  /// Before others watch `fd` (LaneSleep).
  void watch_bell(const Session& session, int fd, std::uint64_t id);
  void unwatch_bell(int fd);

  // Processors that come and go.
  /// Moves the sessions of a processor to others, and with them their waiting frames and those `at_hand` on
  /// its lane; returns the frames that nobody else can take, the caller's again.
  std::vector<Frame*> lose(std::uint32_t processor, std::span<Frame* const> at_hand);
  void restore(std::uint32_t processor);

  // The control loop.
  void load(std::uint32_t processor, double expected_slowdown, std::int64_t now_us);
  void suspended(std::int64_t now_us);
  std::vector<SessionChange> plan(std::int64_t now);
  /// True once after a frame that shows that its session should flee to another processor: then the next plan
  /// should not wait its turn.
  bool take_plan_wish() { return plan_wish_.exchange(false, std::memory_order_relaxed); }
  [[nodiscard]] double slowdown(std::uint32_t processor) const;

 private:
  struct LaneQueue {
    std::vector<policy::QueuedFrame> waiting;  ///< what the policy sees, in deadline order …
    std::vector<Frame*> frames;                ///< … and the frames themselves, in the same order
    std::deque<std::function<void()>> idle_tasks;
    std::deque<std::function<void()>> urgent_tasks;
    LaneSleep sleep;
    bool asleep = false;
  };

  /// submit() but for waking its lane: the one to wake, if it sleeps. The frame may be answered before the
  /// caller looks again.
  Result<LaneQueue*> enqueue(Frame& frame, std::uint32_t queue_limit);
  /// With the lock held.
  static void wake(LaneQueue& queue);
  /// Returns with the lock held, when there is something to do, or patience has ended.
  std::unique_lock<std::mutex> sleep_until_work(LaneQueue& queue, std::int64_t patience_us);
  void hear(std::span<const std::uint64_t> rung);
  void insert(std::uint32_t lane, const policy::QueuedFrame& entry, Frame& frame);
  Frame* take(LaneQueue& queue, std::size_t index);
  Job take_run(LaneQueue& queue, const policy::DispatchDecision& decision);
  void hurry_if_fleeing(const Session& session, std::int64_t now);
  void count_dropped(Session& session, std::int64_t arrival_us);
  [[nodiscard]] std::string reason_of(const policy::PlanChange& change) const;
  void publish_place(Session& session) const;
  /// Moves waiting frames to the lanes that the policy has moved their sessions to, and publishes levels.
  void follow_policy();

  mutable std::mutex mutex_;
  policy::Policy policy_;
  std::vector<std::unique_ptr<LaneQueue>> lanes_;  ///< in the policy's order
  std::vector<std::weak_ptr<Session>> sessions_;   ///< by policy id
  bool stopping_ = false;
  const std::function<void()> hurry_;
  std::int64_t hurried_us_ = INT64_MIN / 2;
  std::atomic<bool> plan_wish_ = false;

  std::mutex bells_mutex_;  ///< held while the listener is called; taken before any other
  BellListener* bell_listener_ = nullptr;
};

}  // namespace dofa::control
