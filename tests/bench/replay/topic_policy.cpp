// SPDX-License-Identifier: Apache-2.0
// dofa-bench policy: how long the dispatcher takes to decide with 8 periodic sessions, 50 operating points
// (25 levels on two processors) and a full queue.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "daemon/policy/policy.hpp"
#include "tests/bench/topic.hpp"

namespace dofa::bench {
namespace {

constexpr std::size_t kSessions = 8;
constexpr std::size_t kLevels = 25;
constexpr std::size_t kProcessors = 2;
constexpr int kDecisions = 200'000;
constexpr std::int64_t kPeriodUs = 40'000;

std::shared_ptr<const policy::FamilyProfile> family() {
  auto result = std::make_shared<policy::FamilyProfile>();
  result->accuracy_measured = true;
  for (std::size_t level = 0; level < kLevels; ++level) {
    const double step = static_cast<double>(level) / kLevels;
    policy::LevelProfile profile;
    profile.accuracy = 0.70 + 0.09 * step;
    profile.time_us[0] = 300 + 2'000 * step;
    profile.time_us[1] = 100 + 500 * step;
    result->levels.push_back(profile);
  }
  return result;
}

struct Times {
  std::vector<double> decision_us;
  std::vector<double> plan_us;
  [[nodiscard]] static double quantile(std::vector<double> values, double q) {
    std::sort(values.begin(), values.end());
    return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
  }
};

double since_us(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

Result<Times> measure() {
  policy::Policy policy({{"cpu", 1}, {"cuda:0", 1}});
  const auto levels = family();
  std::vector<policy::SessionId> ids;
  for (std::size_t i = 0; i < kSessions; ++i) {
    policy::Contract contract;
    contract.latency_budget_us = 20'000 + 2'000 * static_cast<std::int64_t>(i);
    contract.period_us = kPeriodUs;
    contract.processor = "cpu";  // all on one lane: the longest queue
    auto id = policy.open(contract, levels, 0);
    if (!id) return id.error();
    ids.push_back(*id);
  }
  Times times;
  std::vector<policy::QueuedFrame> queue(kSessions);
  std::uint64_t above_floor = 0;
  for (int i = 0; i < kDecisions; ++i) {
    const std::int64_t now_us = kPeriodUs * i;
    for (std::size_t s = 0; s < kSessions; ++s)
      queue[s] = {ids[s], policy.arrived(ids[s], now_us).deadline_us, 50.0, false};
    const auto start = std::chrono::steady_clock::now();
    const policy::DispatchDecision decision = policy.pick(0, now_us + i % 15'000, queue);
    times.decision_us.push_back(since_us(start));
    above_floor += decision.level > 0;
    policy.finished({ids[decision.frame], 0, decision.level, now_us, now_us, now_us + 1'000, now_us + 20'000,
                     50.0, levels->levels[decision.level].time_us[0] * (1 + 0.05 * (i % 3))});
    if (i % 100 == 0) {
      const auto planning = std::chrono::steady_clock::now();
      policy.plan(now_us);
      times.plan_us.push_back(since_us(planning));
    }
  }
  if (above_floor < kDecisions / 2)
    return Error{ErrorCode::kFailed, "most decisions were level 0: nothing was weighed"};
  return times;
}

}  // namespace

int run_policy(const Arguments& arguments) {
  const bool as_json = arguments == Arguments{"--json"};
  if (!as_json && !arguments.empty()) {
    std::fprintf(stderr, "dofa-bench policy: unknown argument %s\n", arguments.front().c_str());
    return 2;
  }
  const Result<Times> times = measure();
  if (!times) {
    std::fprintf(stderr, "dofa-bench policy: %s\n", times.error().message.c_str());
    return 1;
  }
  json::Writer json;
  begin_report(json, "policy", 1);
  json.member("sessions", kSessions).member("operating_points", kLevels * kProcessors);
  json.member("decision_us_p50", Times::quantile(times->decision_us, 0.5));
  json.member("decision_us_p99", Times::quantile(times->decision_us, 0.99));
  json.member("plan_us_p50", Times::quantile(times->plan_us, 0.5));
  json.member("plan_us_p99", Times::quantile(times->plan_us, 0.99));
  json.end_object();
  if (as_json) {
    std::printf("%s\n", json.text().c_str());
  } else {
    std::printf("decision p50 %.2f us, p99 %.2f us; plan p50 %.0f us, p99 %.0f us\n",
                Times::quantile(times->decision_us, 0.5), Times::quantile(times->decision_us, 0.99),
                Times::quantile(times->plan_us, 0.5), Times::quantile(times->plan_us, 0.99));
  }
  return 0;
}

}  // namespace dofa::bench
