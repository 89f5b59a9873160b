// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/allocation.hpp"

#include <algorithm>
#include <functional>
#include <random>

#include "tests/support/catch.hpp"

using namespace dofa::policy;
using Catch::Approx;

namespace {

/// Utilisations in steps of 1/200 of the capacity, so that the grid rounds nothing.
std::vector<Demand> random_demands(std::mt19937& engine, std::size_t sessions, bool with_budgets) {
  std::uniform_int_distribution<int> step(1, 25);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<Demand> demands(sessions);
  for (Demand& demand : demands) {
    demand.weight = 1 + std::floor(uniform(engine) * 4);
    demand.period_us = 40'000;
    if (with_budgets) demand.budget_us = 8'000 + 30'000 * uniform(engine);
    int units = 0;
    double worth = 0;
    for (std::uint32_t level = 0; level < 4; ++level) {
      units += step(engine);
      worth += uniform(engine) / 4;
      LevelChoice choice;
      choice.level = level;
      choice.utilisation = units / 200.0;
      choice.worth = worth;
      choice.hold_us = choice.utilisation * demand.period_us;
      choice.need_us = with_budgets ? 1.1 * choice.hold_us : 0;
      demand.choices.push_back(choice);
    }
  }
  return demands;
}

struct Best {
  bool fits = false;
  double value = 0;
  double least_worth = 0;
};

/// Tries everything.
Best exhaustive(const std::vector<Demand>& demands, bool max_min) {
  Best best;
  std::vector<std::size_t> choice(demands.size(), 0);
  const std::function<void(std::size_t)> search = [&](std::size_t next) {
    if (next < demands.size()) {
      for (choice[next] = 0; choice[next] < demands[next].choices.size(); ++choice[next]) search(next + 1);
      choice[next] = 0;
      return;
    }
    if (!fits_together(demands, choice, 1.0)) return;
    double value = 0;
    double least = 1e9;
    for (std::size_t i = 0; i < demands.size(); ++i) {
      value += demands[i].weight * demands[i].choices[choice[i]].worth;
      least = std::min(least, demands[i].choices[choice[i]].worth);
    }
    if (!best.fits || (max_min ? least > best.least_worth : value > best.value)) best = {true, value, least};
  };
  search(0);
  return best;
}

double value_of(const std::vector<Demand>& demands, const Allocation& allocation) {
  double value = 0;
  for (std::size_t i = 0; i < demands.size(); ++i) {
    value += demands[i].weight * demands[i].choices[allocation.choice[i]].worth;
  }
  return value;
}

}  // namespace

TEST_CASE("Sharing by utilisation alone is as good as trying everything") {
  std::mt19937 engine(5);
  for (int round = 0; round < 200; ++round) {
    const std::vector<Demand> demands = random_demands(engine, 2 + round % 3, false);
    const Allocation found = allocate(demands, 1.0);
    const Best best = exhaustive(demands, false);
    INFO("round " << round);
    REQUIRE(found.fits == best.fits);
    if (!best.fits) continue;
    CHECK(found.value == Approx(best.value));
    CHECK(value_of(demands, found) == Approx(best.value));
    CHECK(fits_together(demands, found.choice, 1.0));
  }
}

TEST_CASE("With deadlines what is found always fits and is close to the best") {
  std::mt19937 engine(6);
  int fitting = 0;
  double lost = 0;
  for (int round = 0; round < 300; ++round) {
    const std::vector<Demand> demands = random_demands(engine, 2 + round % 3, true);
    const Allocation found = allocate(demands, 1.0);
    const Best best = exhaustive(demands, false);
    INFO("round " << round);
    if (found.fits) CHECK(fits_together(demands, found.choice, 1.0));
    if (!best.fits) {
      CHECK_FALSE(found.fits);
      continue;
    }
    REQUIRE(found.fits);
    ++fitting;
    lost += 1 - found.value / best.value;
  }
  CHECK(fitting > 100);
  CHECK(lost / fitting < 0.03);
}

TEST_CASE("The fair variant lifts the worst-off session as far as anything can") {
  std::mt19937 engine(9);
  for (int round = 0; round < 100; ++round) {
    const std::vector<Demand> demands = random_demands(engine, 3, false);
    const Best best = exhaustive(demands, true);
    const Allocation found = allocate(demands, 1.0, Fairness::kMaxMin);
    INFO("round " << round);
    REQUIRE(found.fits == best.fits);
    if (!best.fits) continue;
    double least = 1e9;
    for (std::size_t i = 0; i < demands.size(); ++i) {
      least = std::min(least, demands[i].choices[found.choice[i]].worth);
    }
    CHECK(fits_together(demands, found.choice, 1.0));
    CHECK(least == Approx(best.least_worth));
  }
}

TEST_CASE("A convex hull would lose what the programme finds") {
  // Level 1 lies below the line from 0 to 2, so a hull never takes it; only it fits.
  std::vector<Demand> demands(1);
  demands[0].choices = {{0, 0.1, 0.0, 0, 1}, {1, 0.5, 0.3, 0, 1}, {2, 0.95, 1.0, 0, 1}};
  CHECK(allocate(demands, 0.9).choice[0] == 1);
}

TEST_CASE("A frame that is running blocks one with a short budget") {
  std::vector<Demand> demands(2);
  demands[0].budget_us = 10'000;
  demands[0].period_us = 40'000;
  demands[0].choices = {{0, 0.05, 1.0, 2'500, 2'000}};
  demands[1].budget_us = 100'000;
  demands[1].period_us = 100'000;
  demands[1].choices = {{0, 0.05, 1.0, 6'000, 5'000}, {1, 0.09, 2.0, 10'000, 9'000}};
  const Allocation found = allocate(demands, 0.9);
  REQUIRE(found.fits);
  CHECK(found.choice[1] == 0);  // 9 ms of blocking and 2.5 ms would be 11.5
}

TEST_CASE("Three frames that come at once are counted, not only the longest") {
  std::vector<Demand> demands(3);
  for (Demand& demand : demands) {
    demand.budget_us = 11'000;
    demand.period_us = 40'000;
    demand.choices = {{0, 0.125, 1.0, 5'000, 5'000}};
  }
  const std::vector<std::size_t> choice(3, 0);
  CHECK_FALSE(fits_together(demands, choice, 0.9));
  for (Demand& demand : demands) demand.budget_us = 15'000;
  CHECK(fits_together(demands, choice, 0.9));
}

TEST_CASE("Nobody to share with is no reason to fail") {
  CHECK(allocate({}, 0.9).fits);
}
