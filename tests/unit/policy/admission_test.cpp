// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/admission.hpp"

#include <algorithm>
#include <functional>
#include <random>

#include "tests/support/catch.hpp"
#include "tests/unit/policy/support.hpp"

using namespace dofa;
using namespace dofa::policy;

namespace {

const auto kFamily = family_of({2'000, 4'000, 8'000});
const std::vector<SlowdownFilter> kAtRest(1);

Applicant applicant(std::int64_t budget_us, std::int64_t period_us, double min_accuracy = 0) {
  Applicant result;
  result.contract.latency_budget_us = budget_us;
  result.contract.period_us = period_us;
  result.contract.min_accuracy = min_accuracy;
  result.family = kFamily.get();
  result.period_us = static_cast<double>(period_us);
  return result;
}

bool admitted(const std::vector<Applicant>& applicants, const std::vector<LaneSpec>& lanes = {{0, true}}) {
  return admit(applicants, lanes, kAtRest, 0.9).has_value();
}

/// Serves frames in deadline order, never interrupting one, for every combination of starting offsets on a
/// grid, each frame at its mean; true if some offset makes a frame late. Not a line of this is the demand
/// test's.
bool some_phasing_fails(const std::vector<std::int64_t>& hold, const std::vector<std::int64_t>& budget,
                        const std::vector<std::int64_t>& period, std::int64_t grid) {
  std::vector<std::int64_t> offset(hold.size(), 0);
  const auto late = [&] {
    std::vector<std::int64_t> next = offset;
    std::int64_t now = 0;
    struct Job {
      std::int64_t deadline;
      std::int64_t hold;
    };
    std::vector<Job> ready;
    const std::int64_t horizon = 6 * *std::max_element(period.begin(), period.end());
    while (now < horizon) {
      for (std::size_t i = 0; i < next.size(); ++i) {
        for (; next[i] <= now; next[i] += period[i]) ready.push_back({next[i] + budget[i], hold[i]});
      }
      if (ready.empty()) {
        now = *std::min_element(next.begin(), next.end());
        continue;
      }
      const auto first = std::min_element(ready.begin(), ready.end(),
                                          [](const Job& a, const Job& b) { return a.deadline < b.deadline; });
      now += first->hold;
      if (now > first->deadline) return true;
      ready.erase(first);
    }
    return false;
  };
  const std::function<bool(std::size_t)> search = [&](std::size_t i) {
    if (i == offset.size()) return late();
    for (offset[i] = 0; offset[i] < period[i]; offset[i] += grid) {
      if (search(i + 1)) return true;
    }
    return false;
  };
  return search(0);
}

}  // namespace

TEST_CASE("A contract alone is admitted down to what its cheapest acceptable point needs") {
  CHECK(admitted({applicant(3'000, 40'000)}));
  CHECK_FALSE(admitted({applicant(1'900, 40'000)}));
  CHECK_FALSE(admitted({applicant(3'000, 40'000, 0.71)}));  // its cheapest point takes 4 ms
  CHECK(admitted({applicant(6'000, 40'000, 0.71)}));
  CHECK_FALSE(admitted({applicant(6'000, 2'100)}));  // more than 0.9 of the lane
}

TEST_CASE("A second lane takes what the first cannot") {
  const std::vector<Applicant> two = {applicant(3'000, 40'000), applicant(3'000, 40'000)};
  CHECK_FALSE(admitted(two));
  CHECK(admitted(two, {{0, true}, {0, true}}));
  CHECK_FALSE(admitted(two, {{0, true}, {0, false}}));
}

TEST_CASE("What admission refuses some phasing breaks, and what it admits none does") {
  std::mt19937 engine(21);
  std::uniform_int_distribution<std::int64_t> time(1, 6);
  int refused = 0;
  int accepted = 0;
  for (int round = 0; round < 150; ++round) {
    std::vector<std::int64_t> hold, budget, period;
    std::vector<Demand> demands;
    double load = 0;
    for (int i = 0; i < 2 + round % 2; ++i) {
      hold.push_back(time(engine));
      budget.push_back(hold.back() + time(engine) * 2);
      period.push_back(6 * time(engine));
      load += static_cast<double>(hold.back()) / static_cast<double>(period.back());
      const auto h = static_cast<double>(hold.back());
      demands.push_back({{{0, h / static_cast<double>(period.back()), 1, h, h}},
                         static_cast<double>(budget.back()),
                         static_cast<double>(period.back()),
                         1});
    }
    if (load >= 1) continue;
    const bool fits = fits_together(demands, std::vector<std::size_t>(demands.size(), 0), 1.0);
    INFO("round " << round);
    const bool fails = some_phasing_fails(hold, budget, period, 1);
    if (fits) {
      ++accepted;
      CHECK_FALSE(fails);
    } else {
      ++refused;
      // A frame can come just after one that blocks it has started, which a grid of whole steps misses by one
      // step: one more step of work must then break it.
      bool breaks = fails;
      for (std::size_t i = 0; i < hold.size() && !breaks; ++i) {
        std::vector<std::int64_t> longer = hold;
        ++longer[i];
        breaks = some_phasing_fails(longer, budget, period, 1);
      }
      CHECK(breaks);
    }
  }
  CHECK(accepted > 20);
  CHECK(refused > 20);
}

TEST_CASE("The nearest contract is admitted and changes one thing where one is enough") {
  SECTION("a budget that is too short") {
    const std::vector<Applicant> asked = {applicant(1'000, 40'000)};
    const auto nearest = nearest_contract(asked, std::vector<LaneSpec>{{0, true}}, kAtRest, 0.9);
    REQUIRE(nearest);
    CHECK(nearest->period_us == asked[0].contract.period_us);
    CHECK(admitted({applicant(*nearest->latency_budget_us, 40'000)}));
    CHECK_FALSE(admitted({applicant(*nearest->latency_budget_us * 97 / 100, 40'000)}));
    CHECK(describe_difference(asked[0].contract, *nearest) ==
          "latency-budget-us " + std::to_string(*nearest->latency_budget_us));
  }
  SECTION("frames too often") {
    const auto nearest = nearest_contract(std::vector<Applicant>{applicant(20'000, 2'000)},
                                          std::vector<LaneSpec>{{0, true}}, kAtRest, 0.9);
    REQUIRE(nearest);
    CHECK(*nearest->latency_budget_us == 20'000);
    CHECK(*nearest->period_us >= 2'200);
    CHECK(*nearest->period_us <= 2'300);
  }
  SECTION("an accuracy that costs too much by a little") {
    const auto nearest = nearest_contract(std::vector<Applicant>{applicant(5'000, 40'000, 0.72)},
                                          std::vector<LaneSpec>{{0, true}}, kAtRest, 0.9);
    REQUIRE(nearest);
    CHECK(nearest->min_accuracy == Catch::Approx(0.71));
    CHECK(*nearest->latency_budget_us == 5'000);
  }
}

TEST_CASE("Acceptable levels follow the floor, the objective and the hand") {
  Contract contract;
  const auto range = [&] { return acceptable_levels(contract, *kFamily, 0); };
  CHECK(range().floor == 0);
  CHECK(range().top == 2);
  contract.min_accuracy = 0.705;
  CHECK(range().floor == 1);
  contract.objective = Objective::kLatency;
  CHECK(range().top == 1);
  contract.level = 2;
  CHECK(range().floor == 2);
  CHECK(range().top == 2);
  contract = {};
  contract.objective = Objective::kEnergy;
  auto family = family_of({2'000, 4'000, 8'000});
  const double energy[] = {5, 3, 9};
  for (std::size_t level = 0; level < 3; ++level) family->levels[level].energy_mj[0] = energy[level];
  CHECK(acceptable_levels(contract, *family, 0).top == 1);
}
