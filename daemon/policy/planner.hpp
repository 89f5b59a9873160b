// SPDX-License-Identifier: Apache-2.0
// Gives every session on a lane its ceiling: the level that the dispatcher may use at most. A ceiling falls,
// past any number of levels, once it keeps missing its budget (until then the dispatcher dips below it frame
// by frame), and rises only to what has been within reach for a whole dwell. Pure over the structs below, not
// thread-safe; allocates, so it runs 5-10 times a second and not per frame. DESIGN §6, "Planner".
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "daemon/policy/allocation.hpp"
#include "daemon/policy/contract.hpp"
#include "daemon/policy/profile.hpp"
#include "daemon/policy/slowdown.hpp"

namespace dofa::policy {

/// How the planner weighs calm against speed. The defaults were chosen over the recorded traces.
struct PlannerOptions {
  double capacity = 0.9;  ///< share of a lane's time that may be planned; the rest absorbs surprises
  std::int64_t dwell_us = 1'000'000;  ///< a higher level must have been within reach this long without a gap
  double margin = 0.05;               ///< … with this much room, so that noise does not lift us
  double memory_s = 0.7;              ///< how far back a level's record of keeping its budget reaches
  double give_up = 0.05;  ///< a ceiling that kept its budget less than this share of the time falls
  Fairness fairness = Fairness::kWeightedSum;
};

/// The planner's memory of one level of one session.
struct LevelRecord {
  double kept_share = 0;               ///< recent share of the time in which it would have kept the budget
  std::int64_t in_reach_since_us = 0;  ///< since when every plan has offered it
};

enum class PlanReason : std::uint8_t {
  kUnchanged,
  kOpened,      ///< first plan of a new session or contract
  kLoad,        ///< the level kept missing its budget under the present load
  kSharing,     ///< another session needs the room
  kRecovered,   ///< a higher level has been within reach for a whole dwell
  kMoved,       ///< another lane suits better
  kLost,        ///< its processor was lost
  kOverloaded,  ///< not even the lowest acceptable level keeps the contract
};
const char* describe(PlanReason reason);

/// One session on a lane, as the planner keeps it.
struct PlannedSession {
  // What it asks, set by the owner.
  const FamilyProfile* family = nullptr;
  std::uint32_t floor = 0;
  std::uint32_t top = 0;
  double budget_us = kNoBudget;
  /// Time between its frames as the contract states it; 0: none stated, then no share of the lane is planned
  /// for it. (An observed one would let a burst of a session that promises nothing take everybody else's
  /// share.)
  double period_us = 0;
  double prepare_us = 0;
  double z = 1.645;
  double weight = 1;
  // What it has, written by the planner.
  std::uint32_t ceiling = 0;
  bool met = true;  ///< its ceiling keeps the contract
  PlanReason reason = PlanReason::kUnchanged;
  std::vector<LevelRecord> levels;  ///< per level of the family
};

/// Share of a lane's time that a session takes at this level.
double utilisation(const PlannedSession& session, std::uint32_t level, std::uint32_t processor,
                   const SlowdownFilter& slowdown);
/// c + q at this level, inflated by `margin`; infinite where the processor has no such point, or a better
/// one.
double needed_us(const PlannedSession& session, std::uint32_t level, std::uint32_t processor,
                 const SlowdownFilter& slowdown, double margin = 0);

/// Starts afresh on a lane: every session keeps at most its ceiling but `fresh`, which may take anything up
/// to its top. Used when a session opens, changes its contract or moves.
void plan_fresh(std::int64_t now_us, PlannedSession& fresh, std::span<PlannedSession* const> lane,
                std::uint32_t processor, const SlowdownFilter& slowdown, const PlannerOptions& options);

/// One tick of one lane, `elapsed_us` after the previous one. Sets `reason` of every session whose ceiling or
/// `met` changed and kUnchanged for the others.
void plan_lane(std::int64_t now_us, std::int64_t elapsed_us, std::span<PlannedSession* const> lane,
               std::uint32_t processor, const SlowdownFilter& slowdown, const PlannerOptions& options);

}  // namespace dofa::policy
