// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/admission.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "daemon/policy/quantile.hpp"

namespace dofa::policy {
namespace {

// Others wait for the answer: the search gives up after so many lanes tried. Where there is room for all, it
// seldom tries more than every lane once a session.
constexpr int kMostPlacements = 4'000;
constexpr int kMostOfNearest = 200;  // and that; for each of some forty contracts on the way to the nearest

/// Depth-first search for a placement. Adding a session never makes a lane easier, so a lane that is too full
/// cuts.
class Placement {
 public:
  Placement(std::span<const Applicant> applicants, std::span<const LaneSpec> lanes,
            std::span<const SlowdownFilter> slowdowns, double capacity, int& left)
      : applicants_(applicants),
        lanes_(lanes),
        slowdowns_(slowdowns),
        capacity_(capacity),
        left_(left),
        on_lane_(lanes.size()) {
    lane_of_.assign(applicants.size(), 0);
  }

  bool search(std::size_t next = 0) {
    if (next == applicants_.size()) return true;
    const Applicant& applicant = applicants_[next];
    for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
      if (!lanes_[lane].usable) continue;
      if (applicant.processor && *applicant.processor != lanes_[lane].processor) continue;
      if (applicant.lane && *applicant.lane != lane) continue;
      if (--left_ < 0) return false;
      std::optional<Demand> demand = cheapest(applicant, lanes_[lane].processor);
      if (!demand) continue;
      on_lane_[lane].push_back(std::move(*demand));
      lane_of_[next] = lane;
      const std::vector<std::size_t> choice(on_lane_[lane].size(), 0);
      if (fits_together(on_lane_[lane], choice, capacity_) && search(next + 1)) return true;
      on_lane_[lane].pop_back();
    }
    return false;
  }

  [[nodiscard]] const std::vector<std::uint32_t>& lane_of() const { return lane_of_; }

 private:
  [[nodiscard]] std::optional<Demand> cheapest(const Applicant& applicant, std::uint32_t processor) const {
    const PlannedSession session = planned(applicant, processor);
    const SlowdownFilter& slowdown = slowdowns_[processor];
    const double need = needed_us(session, session.floor, processor, slowdown);
    if (!(need <= session.budget_us)) return std::nullopt;
    const double hold =
        session.prepare_us + slowdown.mean_us(session.family->levels[session.floor].time_us[processor]);
    const LevelChoice choice{session.floor, utilisation(session, session.floor, processor, slowdown), 0, need,
                             hold};
    return Demand{{choice}, session.budget_us, session.period_us, session.weight};
  }

  std::span<const Applicant> applicants_;
  std::span<const LaneSpec> lanes_;
  std::span<const SlowdownFilter> slowdowns_;
  double capacity_;
  int& left_;  ///< placements that may still be tried
  std::vector<std::vector<Demand>> on_lane_;
  std::vector<std::uint32_t> lane_of_;
};

/// The smallest value in (from, kMaxContractTimeUs] on a 1 % ladder with which `fits` holds; fits must be
/// monotone.
template <class Fits>
std::optional<std::int64_t> least_time(std::int64_t from, Fits&& fits) {
  if (!fits(kMaxContractTimeUs)) return std::nullopt;
  std::int64_t low = from;
  std::int64_t high = kMaxContractTimeUs;
  while (high - low > std::max<std::int64_t>(1, low / 100)) {
    const std::int64_t middle = low + (high - low) / 2;
    (fits(middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace

LevelRange acceptable_levels(const Contract& contract, const FamilyProfile& family, std::uint32_t processor) {
  if (contract.level) return {*contract.level, *contract.level};
  const auto last = static_cast<std::uint32_t>(family.levels.size() - 1);
  LevelRange range{0, last};
  while (range.floor < last && (family.levels[range.floor].accuracy < contract.min_accuracy ||
                                !family.levels[range.floor].offered(processor))) {
    ++range.floor;
  }
  while (range.top > range.floor && !family.levels[range.top].offered(processor)) --range.top;
  if (contract.objective == Objective::kLatency) range.top = range.floor;
  if (contract.objective == Objective::kEnergy) {
    range.top = range.floor;
    for (std::uint32_t level = range.floor; level <= last; ++level) {
      if (!family.levels[level].offered(processor)) continue;
      const double energy = family.levels[level].energy_mj[processor];
      if (energy > 0 && energy < family.levels[range.top].energy_mj[processor]) range.top = level;
    }
  }
  return range;
}

PlannedSession planned(const Applicant& applicant, std::uint32_t processor) {
  PlannedSession session;
  const LevelRange range = acceptable_levels(applicant.contract, *applicant.family, processor);
  session.family = applicant.family;
  session.floor = range.floor;
  session.top = range.top;
  if (applicant.contract.latency_budget_us) {
    session.budget_us = static_cast<double>(*applicant.contract.latency_budget_us);
  }
  session.period_us = applicant.period_us;
  session.prepare_us = applicant.prepare_us;
  session.z = normal_quantile(applicant.contract.percentile);
  session.weight = applicant.contract.priority;
  session.ceiling = range.floor;
  return session;
}

std::optional<std::vector<std::uint32_t>> admit(std::span<const Applicant> applicants,
                                                std::span<const LaneSpec> lanes,
                                                std::span<const SlowdownFilter> slowdowns, double capacity) {
  int left = kMostPlacements;
  Placement placement(applicants, lanes, slowdowns, capacity, left);
  if (!placement.search()) return std::nullopt;
  return placement.lane_of();
}

std::optional<Contract> nearest_contract(std::span<const Applicant> applicants,
                                         std::span<const LaneSpec> lanes,
                                         std::span<const SlowdownFilter> slowdowns, double capacity) {
  std::vector<Applicant> trial(applicants.begin(), applicants.end());
  const Contract asked = trial.back().contract;
  const auto fits = [&](const Contract& contract) {
    trial.back().contract = contract;
    if (contract.period_us) trial.back().period_us = static_cast<double>(*contract.period_us);
    int left = kMostOfNearest + static_cast<int>(trial.size() * lanes.size());
    return Placement(trial, lanes, slowdowns, capacity, left).search();
  };
  std::optional<Contract> nearest;
  double distance = 0;
  const auto offer = [&](const Contract& contract, double how_far) {
    if (!nearest || how_far < distance) {
      nearest = contract;
      distance = how_far;
    }
  };
  const auto relax_budget = [&](Contract contract, double already) {
    if (!contract.latency_budget_us) return;
    const std::int64_t from = *contract.latency_budget_us;
    const auto budget = least_time(from, [&](std::int64_t value) {
      contract.latency_budget_us = value;
      return fits(contract);
    });
    if (!budget) return;
    contract.latency_budget_us = *budget;
    offer(contract, already + std::log(static_cast<double>(*budget) / static_cast<double>(from)));
  };

  relax_budget(asked, 0);
  if (asked.period_us) {
    Contract contract = asked;
    const auto period = least_time(*asked.period_us, [&](std::int64_t value) {
      contract.period_us = value;
      return fits(contract);
    });
    if (period) {
      contract.period_us = *period;
      offer(contract, std::log(static_cast<double>(*period) / static_cast<double>(*asked.period_us)));
    }
  }
  if (asked.min_accuracy > 0 && !asked.level) {
    // Ten points of accuracy count as far as a budget e times as long.
    const std::vector<LevelProfile>& levels = trial.back().family->levels;
    for (std::size_t level = levels.size(); level-- > 0;) {
      if (levels[level].accuracy >= asked.min_accuracy) continue;
      Contract contract = asked;
      contract.min_accuracy = levels[level].accuracy;
      const double how_far = (asked.min_accuracy - contract.min_accuracy) / 0.1;
      if (fits(contract)) {
        offer(contract, how_far);
        break;
      }
      if (level == 0) relax_budget(contract, how_far);
    }
  }
  return nearest;
}

std::string describe_difference(const Contract& asked, const Contract& nearest) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (asked.latency_budget_us != nearest.latency_budget_us) {
    add("latency-budget-us " + std::to_string(nearest.latency_budget_us.value_or(0)));
  }
  if (asked.period_us != nearest.period_us) add("period-us " + std::to_string(nearest.period_us.value_or(0)));
  if (asked.min_accuracy != nearest.min_accuracy) {
    char number[32];
    std::snprintf(number, sizeof number, "%.4g", nearest.min_accuracy);
    add(std::string("min-accuracy ") + number);
  }
  return text;
}

}  // namespace dofa::policy
