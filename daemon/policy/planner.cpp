// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/planner.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace dofa::policy {
namespace {

constexpr double kMostlyKept = 0.5;

class LanePlan {
 public:
  LanePlan(std::int64_t now_us, std::span<PlannedSession* const> lane, std::uint32_t processor,
           const SlowdownFilter& slowdown, const PlannerOptions& options)
      : now_us_(now_us), lane_(lane), processor_(processor), slowdown_(slowdown), options_(options) {}

  /// Updates every level's record with what holds right now.
  void record(std::int64_t elapsed_us) {
    const double weight = 1 - std::exp(-static_cast<double>(elapsed_us) * 1e-6 / options_.memory_s);
    double total = 0;
    for (const PlannedSession* session : lane_) total += use(*session, session->ceiling);
    for (PlannedSession* session : lane_) {
      const double blocked = blocked_us(*session);
      const double others = total - use(*session, session->ceiling);
      for (std::uint32_t level = session->floor; level <= session->top; ++level) {
        const bool kept = need(*session, level) + blocked <= session->budget_us &&
                          others + use(*session, level) <= options_.capacity;
        LevelRecord& record = session->levels[level];
        record.kept_share += weight * ((kept ? 1.0 : 0.0) - record.kept_share);
      }
    }
  }

  [[nodiscard]] bool in_trouble() const {
    return std::any_of(lane_.begin(), lane_.end(), [&](const PlannedSession* s) { return failing(*s); });
  }

  /// Shares the lane anew among levels that have proved themselves; nobody rises.
  void lower() {
    std::vector<Demand> demands;
    for (const PlannedSession* session : lane_) {
      demands.push_back(demand(*session, session->ceiling, [&](std::uint32_t level) {
        const double share = session->levels[level].kept_share;
        const bool proved = level == session->ceiling ? share >= options_.give_up : share >= kMostlyKept;
        const double needed = need(*session, level);
        return proved && std::isfinite(needed) ? std::min(needed, session->budget_us) : needed;
      }));
    }
    const Allocation plan = allocate(demands, options_.capacity, options_.fairness);
    for (std::size_t i = 0; i < lane_.size(); ++i) {
      const std::uint32_t level = demands[i].choices[plan.choice[i]].level;
      if (level >= lane_[i]->ceiling) continue;
      move(*lane_[i], level, failing(*lane_[i]) ? PlanReason::kLoad : PlanReason::kSharing);
    }
  }

  /// Offers every session the level of the best plan with some room to spare, and raises those for which a
  /// higher level has been on offer for a whole dwell.
  void raise() {
    if (!anything_to_raise()) return;
    std::vector<Demand> demands;
    for (const PlannedSession* session : lane_) {
      demands.push_back(demand(*session, session->top, [&](std::uint32_t level) {
        return need(*session, level, level > session->ceiling ? options_.margin : 0);
      }));
      for (LevelChoice& choice : demands.back().choices) {
        if (choice.level > session->ceiling) choice.utilisation *= 1 + options_.margin;
      }
    }
    const Allocation plan = allocate(demands, options_.capacity, options_.fairness);
    std::vector<std::uint32_t> offers(lane_.size());
    std::vector<std::uint32_t> wanted(lane_.size());
    bool any = false;
    for (std::size_t i = 0; i < lane_.size(); ++i) {
      PlannedSession& session = *lane_[i];
      offers[i] = plan.fits ? demands[i].choices[plan.choice[i]].level : session.floor;
      wanted[i] = session.ceiling;
      for (std::uint32_t level = session.floor; level <= session.top; ++level) {
        if (level > offers[i]) session.levels[level].in_reach_since_us = now_us_;
        const bool ripe = now_us_ - session.levels[level].in_reach_since_us >= options_.dwell_us;
        if (level > wanted[i] && level <= offers[i] && ripe) wanted[i] = level;
      }
      any |= wanted[i] > session.ceiling;
    }
    if (!any) return;
    if (!together(wanted)) {  // a raise may be paid for by others, as the plan had it
      for (std::size_t i = 0; i < lane_.size(); ++i) {
        if (wanted[i] == lane_[i]->ceiling) wanted[i] = std::min(wanted[i], offers[i]);
      }
      if (!together(wanted)) return;
    }
    for (std::size_t i = 0; i < lane_.size(); ++i) {
      if (wanted[i] > lane_[i]->ceiling) {
        move(*lane_[i], wanted[i], PlanReason::kRecovered);
      } else if (wanted[i] < lane_[i]->ceiling) {
        move(*lane_[i], wanted[i], PlanReason::kSharing);
      }
    }
  }

  void place(PlannedSession& fresh) {
    std::vector<Demand> demands;
    for (const PlannedSession* session : lane_) {
      demands.push_back(demand(*session, session == &fresh ? session->top : session->ceiling,
                               [&](std::uint32_t level) { return need(*session, level); }));
    }
    const Allocation plan = allocate(demands, options_.capacity, options_.fairness);
    for (std::size_t i = 0; i < lane_.size(); ++i) {
      PlannedSession& session = *lane_[i];
      const std::uint32_t level = demands[i].choices[plan.choice[i]].level;
      if (&session == &fresh) {
        session.ceiling = level;
        session.met = plan.fits && need(session, level) <= session.budget_us;
        session.reason = PlanReason::kOpened;
        session.levels.assign(session.family->levels.size(), LevelRecord{});
        for (std::uint32_t l = 0; l < session.levels.size(); ++l) {
          session.levels[l].in_reach_since_us = now_us_;
          session.levels[l].kept_share = l <= level && session.met ? 1.0 : 0.0;
        }
      } else if (level < session.ceiling) {
        move(session, level, PlanReason::kSharing);
      }
    }
  }

  void judge() {
    for (PlannedSession* session : lane_) {
      const bool met = session->levels[session->ceiling].kept_share >= options_.give_up;
      if (met == session->met) continue;
      session->met = met;
      if (!met) session->reason = PlanReason::kOverloaded;
    }
  }

 private:
  [[nodiscard]] double need(const PlannedSession& session, std::uint32_t level, double margin = 0) const {
    return needed_us(session, level, processor_, slowdown_, margin);
  }
  [[nodiscard]] double use(const PlannedSession& session, std::uint32_t level) const {
    return utilisation(session, level, processor_, slowdown_);
  }
  [[nodiscard]] double hold_us(const PlannedSession& session, std::uint32_t level) const {
    return session.prepare_us + slowdown_.mean_us(session.family->levels[level].time_us[processor_]);
  }
  [[nodiscard]] double blocked_us(const PlannedSession& session) const {
    double longest = 0;
    for (const PlannedSession* other : lane_) {
      if (other != &session) longest = std::max(longest, hold_us(*other, other->ceiling));
    }
    return longest;
  }
  /// Whether some higher level is within reach at all. If not, none has been on offer: the common case, and
  /// cheap.
  [[nodiscard]] bool anything_to_raise() {
    bool any = false;
    for (PlannedSession* session : lane_) {
      for (std::uint32_t level = session->ceiling + 1; level <= session->top; ++level) {
        if (need(*session, level, options_.margin) <= session->budget_us) {
          any = true;
        } else {
          session->levels[level].in_reach_since_us = now_us_;
        }
      }
    }
    return any;
  }
  [[nodiscard]] bool failing(const PlannedSession& session) const {
    return session.levels[session.ceiling].kept_share < options_.give_up;
  }
  [[nodiscard]] bool together(std::span<const std::uint32_t> levels) const {
    std::vector<Demand> demands(lane_.size());
    for (std::size_t i = 0; i < lane_.size(); ++i) demands[i] = at(*lane_[i], levels[i]);
    return fits_together(demands, std::vector<std::size_t>(lane_.size(), 0), options_.capacity);
  }

  /// The session's choices from its floor to `top`, with what each needs. The floor is always among them;
  /// where it cannot keep the budget it promises nothing and is worth nothing.
  template <class Need>
  [[nodiscard]] Demand demand(const PlannedSession& session, std::uint32_t top, Need&& need_of) const {
    Demand demand{{}, session.budget_us, session.period_us, session.weight};
    for (std::uint32_t level = session.floor; level <= std::max(top, session.floor); ++level) {
      const double needed = need_of(level);
      const bool keeps = needed <= session.budget_us;
      if (!keeps && level != session.floor) continue;
      // To be met at all is worth more than anything above the floor: 1 on top of the level's own worth.
      demand.choices.push_back({level, use(session, level), keeps ? 1 + session.family->worth(level) : 0,
                                keeps ? needed : 0, hold_us(session, level)});
    }
    return demand;
  }
  /// The single choice of one level, as it stands.
  [[nodiscard]] Demand at(const PlannedSession& session, std::uint32_t level) const {
    const double needed = need(session, level);
    const double promised = needed <= session.budget_us ? needed : 0;
    return {{{level, use(session, level), 0, promised, hold_us(session, level)}},
            session.budget_us,
            session.period_us,
            session.weight};
  }

  void move(PlannedSession& session, std::uint32_t level, PlanReason reason) const {
    session.ceiling = level;
    session.reason = reason;
    for (std::uint32_t l = level + 1; l <= session.top; ++l) session.levels[l].in_reach_since_us = now_us_;
  }

  std::int64_t now_us_;
  std::span<PlannedSession* const> lane_;
  std::uint32_t processor_;
  const SlowdownFilter& slowdown_;
  const PlannerOptions& options_;
};

}  // namespace

double utilisation(const PlannedSession& session, std::uint32_t level, std::uint32_t processor,
                   const SlowdownFilter& slowdown) {
  if (session.period_us <= 0) return 0;
  return (session.prepare_us + slowdown.mean_us(session.family->levels[level].time_us[processor])) /
         session.period_us;
}

double needed_us(const PlannedSession& session, std::uint32_t level, std::uint32_t processor,
                 const SlowdownFilter& slowdown, double margin) {
  const double profile = session.family->levels[level].time_us[processor];
  // The floor is never dominated, unless it was fixed by hand.
  const bool offered = session.family->levels[level].offered(processor) || level == session.floor;
  if (profile <= 0 || !offered) return std::numeric_limits<double>::infinity();
  return (session.prepare_us + slowdown.quantile_us(profile, session.z)) * (1 + margin);
}

void plan_fresh(std::int64_t now_us, PlannedSession& fresh, std::span<PlannedSession* const> lane,
                std::uint32_t processor, const SlowdownFilter& slowdown, const PlannerOptions& options) {
  LanePlan(now_us, lane, processor, slowdown, options).place(fresh);
}

void plan_lane(std::int64_t now_us, std::int64_t elapsed_us, std::span<PlannedSession* const> lane,
               std::uint32_t processor, const SlowdownFilter& slowdown, const PlannerOptions& options) {
  for (PlannedSession* session : lane) session->reason = PlanReason::kUnchanged;
  LanePlan plan(now_us, lane, processor, slowdown, options);
  plan.record(elapsed_us);
  if (plan.in_trouble()) plan.lower();
  plan.raise();
  plan.judge();
}

const char* describe(PlanReason reason) {
  switch (reason) {
    case PlanReason::kUnchanged:
      return "unchanged";
    case PlanReason::kOpened:
      return "first plan for this contract";
    case PlanReason::kLoad:
      return "the level kept missing its budget under the present load";
    case PlanReason::kSharing:
      return "another session needs the room";
    case PlanReason::kRecovered:
      return "a higher level has been within reach long enough";
    case PlanReason::kMoved:
      return "another lane suits better";
    case PlanReason::kLost:
      return "the processor was lost";
    case PlanReason::kOverloaded:
      return "not even the lowest acceptable level keeps the contract";
  }
  return "unknown";
}

}  // namespace dofa::policy
