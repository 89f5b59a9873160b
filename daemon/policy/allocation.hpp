// SPDX-License-Identifier: Apache-2.0
// Shares one lane among its sessions: which level for whom. Pure; allocates memory, so it runs at the
// planner's pace and not per frame. DESIGN §6, "Planner".
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace dofa::policy {

/// Budget of a session that has none, µs: longer than any frame.
inline constexpr double kNoBudget = 1e15;

/// What one level of one session would cost its lane and bring.
struct LevelChoice {
  std::uint32_t level = 0;
  double utilisation = 0;  ///< share of the lane's time: μ·t / period
  double worth = 0;        ///< 0..1
  double need_us = 0;      ///< c + q: what must fit the budget once the lane is free; 0: promises nothing
  double hold_us = 0;  ///< c + μ·t: how long a frame keeps the lane from others (it is never interrupted)
};

/// One session's wishes. `choices` is not empty and ordered by level; the first is what it gets when nothing
/// fits.
struct Demand {
  std::vector<LevelChoice> choices;
  double budget_us = kNoBudget;
  double period_us = 0;  ///< 0: unknown
  double weight = 1;
};

enum class Fairness : std::uint8_t {
  kWeightedSum,  ///< most worth in total
  kMaxMin,       ///< the worst-off session first, then the total
};

struct Allocation {
  std::vector<std::size_t> choice;  ///< per demand, an index into its choices
  double value = 0;                 ///< Σ weight·worth
  bool fits = false;                ///< within the capacity and everybody's budget
};

/// True if the given choices fit together: Σ utilisation ≤ capacity, and frames served in deadline order are
/// on time however their arrivals fall (the processor-demand test for non-preemptive EDF, Jeffay et al. 1991
/// / George et al. 1996): for every interval t, the frames that arrive and must be answered within it, plus
/// the longest frame that may be running and need not, take no longer than t.
bool fits_together(std::span<const Demand> demands, std::span<const std::size_t> choice, double capacity);

/// Maximises Σ weight·worth over what fits. The programme is exact over utilisation (on a grid of 1/200 of
/// the capacity, rounded against us). Who blocks whom couples the sessions' choices, so it runs once for
/// every useful limit on the longest frame; what then fails the demand test is lowered where that costs least
/// worth, and single raises that still fit polish the result.
Allocation allocate(std::span<const Demand> demands, double capacity,
                    Fairness fairness = Fairness::kWeightedSum);

}  // namespace dofa::policy
