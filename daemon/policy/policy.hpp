// SPDX-License-Identifier: Apache-2.0
// The whole policy of one machine behind one door. Plain numbers in, decisions with reasons out; no thread,
// no clock, no I/O. Not thread-safe: the owner (daemon/control, or the replay in tests/bench) serialises the
// calls and never holds its lock across an inference. Nothing on the frame path (arrived, pick, finished,
// dropped) allocates.
//
// How control calls it:
//   OpenSession / SetContract / Close  → open, change, close   validation, admission, first plan
//   a frame is submitted               → arrived               its deadline; whether it is above the
//   contract's rate a lane is free                     → pick                  on kRun: run that frame at
//   that level; on kDrop: answer
//                                                              MissedDeadline, call dropped, ask again
//   a frame is answered                → finished              teaches the slowdown filter, counts
//   a frame is refused (full ring)     → dropped               counts as missed
//   a monitor reading (50 ms)          → load                  a jump makes us careful before the first late
//   frame a planner tick (100 ms)            → plan                  ceilings and lanes; what changed, and
//   why, for signals suspend, SIGSTOP, a clock jump     → suspended             the past is worthless
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/policy/admission.hpp"
#include "daemon/policy/contract.hpp"
#include "daemon/policy/dispatcher.hpp"
#include "daemon/policy/planner.hpp"
#include "daemon/policy/profile.hpp"
#include "daemon/policy/session_stats.hpp"
#include "daemon/policy/slowdown.hpp"
#include "daemon/policy/token_bucket.hpp"

namespace dofa::policy {

using FamilyPtr = std::shared_ptr<const FamilyProfile>;

/// A processor and how many lanes it has.
struct ProcessorSpec {
  std::string name;  ///< "cpu", "cuda:0"
  std::uint32_t lanes = 1;
};

/// What became of an arriving frame.
struct Arrival {
  std::int64_t deadline_us = kNoDeadline;
  bool background = false;  ///< above the contract's rate (token bucket, burst 2)
};

/// A frame that was answered.
struct FinishedFrame {
  SessionId session = 0;
  std::uint32_t lane = 0;
  std::uint32_t level = 0;
  std::int64_t arrived_us = 0;
  std::int64_t started_us = 0;   ///< left the queue
  std::int64_t finished_us = 0;  ///< answered
  std::int64_t deadline_us = kNoDeadline;
  double prepare_us = 0;    ///< measured preprocessing time
  double inference_us = 0;  ///< measured inference time, of the whole batch: all that the filter learns from
  std::uint32_t batch = 1;  ///< frames that were run at once
  bool teaches = true;      ///< false for all but one of a batch: it is one measurement
};

/// A session's place after its latest plan.
struct SessionPlan {
  std::uint32_t lane = 0;
  std::uint32_t floor = 0;
  std::uint32_t ceiling = 0;
  bool met = true;  ///< false: raise ContractUnmet

  friend bool operator==(const SessionPlan&, const SessionPlan&) = default;
};

/// What a plan changed: SubnetChanged if level or lane differ, ContractUnmet if `to.met` is false and
/// `from.met` true.
struct PlanChange {
  SessionId session = 0;
  SessionPlan from;
  SessionPlan to;
  PlanReason reason = PlanReason::kUnchanged;
};

class Policy {
 public:
  explicit Policy(const std::vector<ProcessorSpec>& processors, PlannerOptions options = {});

  /// Validates, admits and plans. kUnsatisfiable names the nearest contract that would be admitted.
  Result<SessionId> open(const Contract& contract, FamilyPtr family, std::int64_t now_us);
  /// The same for an open session; on error the old contract stays. What it changes is told by the next
  /// plan().
  Result<void> change(SessionId id, const Contract& contract, std::int64_t now_us);
  void close(SessionId id);
  /// New profiles (measured between frames) or a reloaded family for a session. A fixed level must still
  /// exist.
  void set_family(SessionId id, FamilyPtr family, std::int64_t now_us);

  Arrival arrived(SessionId id, std::int64_t now_us);
  /// `queue` in deadline order; the frames of the sessions whose lane this is.
  DispatchDecision pick(std::uint32_t lane, std::int64_t now_us, std::span<const QueuedFrame> queue);
  void finished(const FinishedFrame& frame);
  void dropped(SessionId id) { sessions_[id]->stats.dropped(); }

  /// How slow the monitor expects this processor to run us (expected_cpu_slowdown; NaN: no idea).
  void load(std::uint32_t processor, double expected_slowdown, std::int64_t now_us);
  /// A processor came or went (lost GPU); its sessions move at once where they can. Those that cannot stay,
  /// unmet, and are no reason to refuse others.
  void set_usable(std::uint32_t processor, bool usable, std::int64_t now_us);
  void suspended(std::int64_t now_us);
  /// The next plan() would try to move the session to another processor, because the present one keeps it
  /// late.
  [[nodiscard]] bool would_flee(SessionId id, std::int64_t now_us) const;
  /// One tick. The result stays valid until the next call.
  std::span<const PlanChange> plan(std::int64_t now_us);

  [[nodiscard]] SessionPlan session(SessionId id) const;
  [[nodiscard]] const Contract& contract(SessionId id) const { return sessions_[id]->contract; }
  [[nodiscard]] const SessionStats& stats(SessionId id) const { return sessions_[id]->stats; }
  [[nodiscard]] double accuracy(SessionId id, std::uint32_t level) const {
    return sessions_[id]->family->levels[level].accuracy;
  }
  /// The nearest contract that could be kept under the present load, for ContractUnmet.
  [[nodiscard]] std::optional<Contract> nearest(SessionId id) const;
  [[nodiscard]] const SlowdownFilter& slowdown(std::uint32_t processor) const {
    return slowdowns_[processor];
  }
  [[nodiscard]] std::uint32_t processor_of(std::uint32_t lane) const { return lanes_[lane].processor; }
  [[nodiscard]] const std::string& processor_name(std::uint32_t processor) const {
    return processors_[processor];
  }
  [[nodiscard]] std::size_t processors() const { return processors_.size(); }
  [[nodiscard]] bool usable(std::uint32_t lane) const { return lanes_[lane].usable; }
  [[nodiscard]] std::uint32_t lanes() const { return static_cast<std::uint32_t>(lanes_.size()); }

 private:
  struct Session {
    Contract contract;
    FamilyPtr family;
    std::optional<std::uint32_t> processor;  // fixed by the contract
    std::uint32_t lane = 0;
    PlannedSession plan;
    TokenBucket rate{0, 2};
    SessionStats stats;
    std::int64_t last_arrival_us = INT64_MIN;
    std::int64_t moved_us = INT64_MIN / 2;
    std::int64_t stay_us = 0;                    // how long it stays where its contract is kept
    SessionPlan published;                       // what the last plan() told
    PlanReason reason = PlanReason::kUnchanged;  // of what changed since
  };

  /// The sessions that admission has to keep, and lanes for them and, last, for the candidate.
  struct Placing {
    std::vector<Session*> kept;
    std::vector<std::uint32_t> lanes;
  };
  Result<Applicant> applicant(const Contract& contract, const FamilyProfile& family) const;
  [[nodiscard]] Applicant as_admitted(const Session& session) const;
  [[nodiscard]] std::vector<Session*> kept(const Session* without) const;
  [[nodiscard]] bool allowed(const Session& session, std::uint32_t lane) const;
  Result<Placing> place(const Applicant& candidate, const Session* without) const;
  [[nodiscard]] bool admits(const Applicant& candidate, const Session* without, std::uint32_t lane) const;
  void settle(Session& session, const Applicant& as, const Placing& placing, std::int64_t now_us);
  void start_on(Session& session, std::uint32_t lane, std::int64_t now_us, PlanReason reason);
  [[nodiscard]] std::vector<PlannedSession*> on_lane(std::uint32_t lane) const;
  [[nodiscard]] double gain(const Session& session, std::uint32_t lane, std::int64_t now_us) const;
  [[nodiscard]] bool in_distress(const Session& session, std::int64_t now_us) const;
  [[nodiscard]] bool is_candidate(const Session& session, std::uint32_t lane, bool other_processor) const;
  void move_to_best(Session& session, bool fleeing, std::int64_t now_us);
  void consider_moving(std::int64_t now_us);
  void evict(Session& session, std::int64_t now_us);
  void note_reasons();
  void refresh();

  std::vector<std::string> processors_;
  std::vector<LaneSpec> lanes_;
  std::vector<SlowdownFilter> slowdowns_;  // per processor
  PlannerOptions options_;
  std::vector<std::unique_ptr<Session>> sessions_;  // by id; null: free
  std::vector<DispatchSession> dispatch_;           // by id; what pick needs, kept beside each other
  std::vector<ExpectedFrame> expected_;             // scratch of pick, reserved
  std::vector<PlanChange> changes_;
  std::int64_t planned_us_ = INT64_MIN;
  SessionId next_to_move_ = 0;
};

}  // namespace dofa::policy
