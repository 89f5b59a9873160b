// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/allocation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace dofa::policy {
namespace {

constexpr int kGrid = 200;
constexpr double kRoundingSlack = 1e-9;
constexpr double kNothing = -std::numeric_limits<double>::infinity();
constexpr std::size_t kMostLimits = 16;  // on the longest frame; sessions of one family share theirs
constexpr int kMostIntervals =
    2000;  // of the demand test; a lane that needs more is too full to promise anything

using Allowed = std::vector<std::vector<bool>>;  // per demand and choice

/// The multiple-choice knapsack over utilisation alone, among the allowed choices.
Allocation knapsack(std::span<const Demand> demands, const Allowed& allowed, double capacity) {
  const std::size_t count = demands.size();
  std::vector<double> best(kGrid + 1, 0.0);
  std::vector<std::vector<int>> taken(count, std::vector<int>(kGrid + 1, -1));
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<double> next(kGrid + 1, kNothing);
    for (std::size_t c = 0; c < demands[i].choices.size(); ++c) {
      if (!allowed[i][c]) continue;
      const LevelChoice& choice = demands[i].choices[c];
      const double steps = std::ceil(choice.utilisation / capacity * kGrid - kRoundingSlack);
      if (!(steps <= kGrid)) continue;
      const int cost = std::max(0, static_cast<int>(steps));
      const double gain = demands[i].weight * choice.worth;
      for (int used = cost; used <= kGrid; ++used) {
        if (best[used - cost] + gain > next[used]) {
          next[used] = best[used - cost] + gain;
          taken[i][used] = static_cast<int>(c);
        }
      }
    }
    best = std::move(next);
  }
  // best[u] is the most worth with at most u steps used, as the first row is zero everywhere.
  Allocation result;
  result.choice.assign(count, 0);
  if (best[kGrid] == kNothing) return result;
  result.fits = true;
  result.value = best[kGrid];
  int used = kGrid;
  for (std::size_t i = count; i-- > 0;) {
    const auto c = static_cast<std::size_t>(taken[i][used]);
    result.choice[i] = c;
    used -= std::max(0, static_cast<int>(std::ceil(demands[i].choices[c].utilisation / capacity * kGrid -
                                                   kRoundingSlack)));
  }
  return result;
}

/// Which choices keep their budget whatever the others do, when no frame longer than `longest_us` is
/// admitted.
Allowed allowed_below(std::span<const Demand> demands, double longest_us) {
  std::vector<double> longest_of(demands.size(), 0.0);
  for (std::size_t i = 0; i < demands.size(); ++i) {
    for (const LevelChoice& choice : demands[i].choices) {
      if (choice.hold_us <= longest_us) longest_of[i] = std::max(longest_of[i], choice.hold_us);
    }
  }
  Allowed allowed(demands.size());
  for (std::size_t i = 0; i < demands.size(); ++i) {
    double blocked_us = 0;
    for (std::size_t j = 0; j < demands.size(); ++j) {
      if (j != i) blocked_us = std::max(blocked_us, longest_of[j]);
    }
    for (const LevelChoice& choice : demands[i].choices) {
      allowed[i].push_back(choice.hold_us <= longest_us &&
                           (choice.need_us <= 0 || choice.need_us + blocked_us <= demands[i].budget_us));
    }
  }
  return allowed;
}

/// Which choices keep their budget on a lane of their own.
Allowed keep_alone(std::span<const Demand> demands) {
  Allowed allowed(demands.size());
  for (std::size_t i = 0; i < demands.size(); ++i) {
    for (const LevelChoice& choice : demands[i].choices)
      allowed[i].push_back(choice.need_us <= demands[i].budget_us);
  }
  return allowed;
}

bool is_subset(const Allowed& inner, const Allowed& outer) {
  for (std::size_t i = 0; i < inner.size(); ++i) {
    for (std::size_t c = 0; c < inner[i].size(); ++c) {
      if (inner[i][c] && !outer[i][c]) return false;
    }
  }
  return true;
}

/// One session at its chosen level, as the demand test sees it. Without a budget or a promise it only blocks.
struct Task {
  double hold_us;
  double extra_us;  ///< need beyond the mean
  double budget_us;
  double period_us;
};

bool on_time_within(std::span<const Task> tasks, double interval_us) {
  double work_us = 0;
  double extra_us = 0;  // unlikely to be needed by more than one frame at once
  double blocked_us = 0;
  for (const Task& task : tasks) {
    if (task.budget_us > interval_us) {
      blocked_us = std::max(blocked_us, task.hold_us);
      continue;
    }
    const double frames =
        task.period_us > 0 ? 1 + std::floor((interval_us - task.budget_us) / task.period_us) : 1;
    work_us += frames * task.hold_us;
    extra_us = std::max(extra_us, task.extra_us);
  }
  return blocked_us + work_us + extra_us <= interval_us;
}

bool demand_fits(std::span<const Task> tasks) {
  // Demand only steps up at budget + k·period, and cannot exceed an interval longer than the lane's busy
  // period.
  double load = 0;
  double longest_budget_us = 0;
  double backlog_us = 0;
  for (const Task& task : tasks) {
    backlog_us += task.hold_us + task.extra_us;
    if (task.budget_us >= kNoBudget) continue;
    longest_budget_us = std::max(longest_budget_us, task.budget_us);
    if (task.period_us > 0) load += task.hold_us / task.period_us;
  }
  if (load >= 1) return false;
  const double end_us = std::max(longest_budget_us, backlog_us / (1 - load));
  int intervals = 0;
  for (const Task& task : tasks) {
    if (task.budget_us >= kNoBudget) continue;
    for (double interval_us = task.budget_us; interval_us <= end_us; interval_us += task.period_us) {
      if (++intervals > kMostIntervals || !on_time_within(tasks, interval_us)) return false;
      if (task.period_us <= 0) break;
    }
  }
  return true;
}

double loss(const Demand& demand, std::size_t from) {
  return demand.weight * (demand.choices[from].worth - demand.choices[from - 1].worth);
}

/// Lowers one choice after the other, the least loss of worth first, until the demand test holds.
void repair(std::span<const Demand> demands, double capacity, Allocation& result) {
  while (!fits_together(demands, result.choice, capacity)) {
    std::size_t victim = demands.size();
    for (std::size_t i = 0; i < demands.size(); ++i) {
      if (result.choice[i] == 0) continue;
      if (victim == demands.size() ||
          loss(demands[i], result.choice[i]) < loss(demands[victim], result.choice[victim])) {
        victim = i;
      }
    }
    if (victim == demands.size()) {
      result.fits = false;
      return;
    }
    result.value -= loss(demands[victim], result.choice[victim]);
    --result.choice[victim];
  }
}

/// What the allowed choices would bring if they all fitted.
double most_possible(std::span<const Demand> demands, const Allowed& allowed) {
  double total = 0;
  for (std::size_t i = 0; i < demands.size(); ++i) {
    double most = kNothing;
    for (std::size_t c = 0; c < allowed[i].size(); ++c) {
      if (allowed[i][c]) most = std::max(most, demands[i].weight * demands[i].choices[c].worth);
    }
    total += most;
  }
  return total;
}

void polish(std::span<const Demand> demands, double capacity, Allocation& result) {
  std::vector<std::size_t> order(demands.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return demands[a].weight > demands[b].weight; });
  for (std::size_t i : order) {
    for (std::size_t c = result.choice[i] + 1; c < demands[i].choices.size(); ++c) {
      const std::size_t before = std::exchange(result.choice[i], c);
      if (fits_together(demands, result.choice, capacity)) {
        result.value += demands[i].weight * (demands[i].choices[c].worth - demands[i].choices[before].worth);
      } else {
        result.choice[i] = before;
      }
    }
  }
}

Allocation most_worth(std::span<const Demand> demands, double capacity) {
  std::vector<double> limits;
  for (const Demand& demand : demands) {
    for (const LevelChoice& choice : demand.choices) limits.push_back(choice.hold_us);
  }
  std::sort(limits.begin(), limits.end(), std::greater<>());
  limits.erase(std::unique(limits.begin(), limits.end()), limits.end());

  // Nothing can bring more than the best that ignores who blocks whom.
  const double bound = knapsack(demands, keep_alone(demands), capacity).value;
  Allocation best;
  best.choice.assign(demands.size(), 0);
  std::vector<Allowed> tried;
  const std::size_t stride = (limits.size() + kMostLimits - 1) / kMostLimits;
  for (std::size_t i = 0; i < limits.size() && !(best.fits && best.value >= bound); i += stride) {
    const double limit = limits[i];
    Allowed allowed = allowed_below(demands, limit);
    const bool known = std::any_of(tried.begin(), tried.end(),
                                   [&](const Allowed& before) { return is_subset(allowed, before); });
    if (known || (best.fits && most_possible(demands, allowed) <= best.value)) continue;
    Allocation candidate = knapsack(demands, allowed, capacity);
    tried.push_back(std::move(allowed));
    if (!candidate.fits || (best.fits && candidate.value <= best.value)) continue;
    repair(demands, capacity, candidate);
    if (candidate.fits && (!best.fits || candidate.value > best.value)) best = std::move(candidate);
  }
  if (!best.fits) {  // the cheapest choices fit if anything does
    best.choice.assign(demands.size(), 0);
    best.fits = fits_together(demands, best.choice, capacity);
    best.value = 0;
    for (const Demand& demand : demands) best.value += demand.weight * demand.choices.front().worth;
  }
  if (best.fits) polish(demands, capacity, best);
  return best;
}

/// The demands without the choices worth less than `least`; who cannot reach it keeps only its best.
std::vector<Demand> at_least(std::span<const Demand> demands, double least) {
  std::vector<Demand> raised(demands.begin(), demands.end());
  for (Demand& demand : raised) {
    double reachable = 0;
    for (const LevelChoice& choice : demand.choices) reachable = std::max(reachable, choice.worth);
    std::erase_if(demand.choices,
                  [&](const LevelChoice& choice) { return choice.worth < std::min(least, reachable); });
  }
  return raised;
}

}  // namespace

bool fits_together(std::span<const Demand> demands, std::span<const std::size_t> choice, double capacity) {
  double total = 0;
  std::vector<Task> tasks;
  for (std::size_t i = 0; i < demands.size(); ++i) {
    const LevelChoice& mine = demands[i].choices[choice[i]];
    total += mine.utilisation;
    const double extra_us = std::max(0.0, mine.need_us - mine.hold_us);
    tasks.push_back(
        {mine.hold_us, extra_us, mine.need_us > 0 ? demands[i].budget_us : kNoBudget, demands[i].period_us});
  }
  return total <= capacity * (1 + kRoundingSlack) && demand_fits(tasks);
}

Allocation allocate(std::span<const Demand> demands, double capacity, Fairness fairness) {
  if (demands.empty()) return {{}, 0, true};
  Allocation best = most_worth(demands, capacity);
  if (fairness == Fairness::kWeightedSum || !best.fits) return best;

  std::vector<double> levels;
  for (const Demand& demand : demands) {
    for (const LevelChoice& choice : demand.choices) levels.push_back(choice.worth);
  }
  std::sort(levels.begin(), levels.end());
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  // What fits at one least worth fits at every lower one, so bisection finds the highest.
  std::size_t low = 0;
  std::size_t high = levels.size();
  while (low + 1 < high) {
    const std::size_t middle = (low + high) / 2;
    const std::vector<Demand> raised = at_least(demands, levels[middle]);
    Allocation candidate = most_worth(raised, capacity);
    if (!candidate.fits) {
      high = middle;
      continue;
    }
    low = middle;
    for (std::size_t i = 0; i < demands.size(); ++i) {  // back to indices of the full lists
      candidate.choice[i] += demands[i].choices.size() - raised[i].choices.size();
    }
    best = std::move(candidate);
  }
  return best;
}

}  // namespace dofa::policy
