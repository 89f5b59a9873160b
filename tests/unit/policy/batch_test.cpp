// SPDX-License-Identifier: Apache-2.0
// Frames that run at once: when it pays, who may ride along, and that nobody comes too late for it. The last
// test holds the decisions against a schedule worked out by hand (earliest deadline first, all at their
// fastest levels).
#include <algorithm>
#include <random>
#include <vector>

#include "daemon/policy/policy.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/support.hpp"

using namespace dofa::policy;

namespace {

/// Levels of 1, 2 and 4 ms; a batch of 2, 4, 8 takes 1.2, 1.6, 2.4 times as long as one.
struct Bench {
  std::shared_ptr<FamilyProfile> family = with_batches({1'000, 2'000, 4'000});
  SlowdownFilter slowdown;
  std::vector<DispatchSession> sessions;
  std::int64_t now_us = 1'000'000;

  static std::shared_ptr<FamilyProfile> with_batches(const std::vector<double>& times_us) {
    auto family = family_of(times_us);
    for (LevelProfile& level : family->levels) {
      level.batch_time_us[0] = {1.2 * level.time_us[0], 1.6 * level.time_us[0], 2.4 * level.time_us[0]};
    }
    return family;
  }
  explicit Bench(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      sessions.push_back({family.get(), 0, 2, 1.645, WhenLate::kDeliver});
    for (int i = 0; i < 200; ++i)
      slowdown.observe(4'000, 4'000 * (1 + 0.02 * (i % 3 - 1)), now_us - 8'000 + 40 * i);
  }
  [[nodiscard]] QueuedFrame frame(SessionId session, std::int64_t left_us) const {
    return {session, now_us + left_us, 0.0, false};
  }
  [[nodiscard]] std::vector<QueuedFrame> one_each(std::int64_t left_us) const {
    std::vector<QueuedFrame> queue;
    for (SessionId id = 0; id < sessions.size(); ++id) queue.push_back(frame(id, left_us));
    return queue;
  }
  [[nodiscard]] DispatchDecision ask(const std::vector<QueuedFrame>& queue,
                                     const std::vector<ExpectedFrame>& expected = {}) const {
    return dispatch(now_us, 0, slowdown, queue, expected, sessions);
  }
};

std::vector<std::size_t> members(const DispatchDecision& decision) {
  return {decision.batch.begin(), decision.batch.begin() + decision.count};
}

}  // namespace

TEST_CASE("A batch takes as long as the next larger one that was profiled") {
  const LevelProfile level = Bench(1).family->levels[0];
  CHECK(level.time_of_us(0, 1) == 1'000);
  CHECK(level.time_of_us(0, 2) == 1'200);
  CHECK(level.time_of_us(0, 3) == 1'600);
  CHECK(level.time_of_us(0, 8) == 2'400);
  CHECK(level.time_of_us(0, 9) == 0);
  CHECK(level.time_of_us(1, 2) == 0);
}

TEST_CASE("Waiting frames of one family run at once, in the order of their deadlines") {
  Bench bench(10);
  auto queue = bench.one_each(100'000);
  for (std::size_t i = 0; i < queue.size(); ++i) queue[i].deadline_us += static_cast<std::int64_t>(i);
  const DispatchDecision decision = bench.ask(queue);
  CHECK(decision.level == 2);
  CHECK(members(decision) == std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(decision.mean_us == Catch::Approx(9'600).epsilon(0.05));
  CHECK(decision.quantile_us > decision.mean_us);
  SECTION("no more than there are, at the price of the next larger batch") {
    queue.resize(3);
    CHECK(bench.ask(queue).count == 3);
    CHECK(bench.ask(queue).mean_us == Catch::Approx(6'400).epsilon(0.05));
    queue.resize(1);
    CHECK(bench.ask(queue).count == 1);
    CHECK(bench.ask(queue).mean_us == Catch::Approx(4'000).epsilon(0.05));
  }
}

TEST_CASE("Only who may use the level rides along") {
  Bench bench(4);
  const auto other = Bench::with_batches({1'000, 2'000, 4'000});
  bench.sessions[1].family = other.get();
  bench.sessions[2].ceiling = 1;
  bench.sessions[3].floor = 2;
  CHECK(members(bench.ask(bench.one_each(100'000))) == std::vector<std::size_t>{0, 3});
  bench.sessions[0].floor = bench.sessions[0].ceiling = 1;
  CHECK(members(bench.ask(bench.one_each(100'000))) == std::vector<std::size_t>{0, 2});
}

TEST_CASE("A batch that costs a frame more than running alone is none") {
  Bench bench(4);
  for (LevelProfile& level : bench.family->levels) {
    level.batch_time_us[0] = {2 * level.time_us[0], 4.4 * level.time_us[0], 0};
  }
  CHECK(bench.ask(bench.one_each(100'000)).count == 1);
  for (LevelProfile& level : bench.family->levels) level.batch_time_us[0][0] = 1.9 * level.time_us[0];
  CHECK(bench.ask(bench.one_each(100'000)).count == 2);
}

TEST_CASE("A batch is only as large as every member's deadline allows, preparation included") {
  Bench bench(8);
  auto queue = bench.one_each(8'000);
  for (std::size_t i = 4; i < 8; ++i) queue[i].deadline_us += 90'000;
  CHECK(bench.ask(queue).count == 4);  // 6.4 ms; eight would take 9.6
  CHECK(bench.ask(queue).level == 2);
  for (QueuedFrame& frame : queue) frame.prepare_us = 600;
  CHECK(bench.ask(queue).count == 4);  // a level lower 3.2 ms, and 2.4 to prepare
  CHECK(bench.ask(queue).level == 1);
}

TEST_CASE("A batch may use a level for which there would be no time one by one") {
  Bench bench(8);
  auto queue = bench.one_each(8'000);
  const DispatchDecision together = bench.ask(queue);
  CHECK(together.count == 8);  // 4.8 ms
  CHECK(together.level == 1);
  for (LevelProfile& level : bench.family->levels) level.batch_time_us[0] = {};
  CHECK(bench.ask(queue).level == 0);
}

TEST_CASE("Frames that are not in the batch keep their time, those about to come as well") {
  Bench bench(5);
  const auto other = family_of({3'000});
  bench.sessions[4] = {other.get(), 0, 0, 1.645, WhenLate::kDeliver};
  auto queue = bench.one_each(100'000);
  CHECK(bench.ask(queue).count == 4);
  SECTION("queued") {
    for (QueuedFrame& frame : queue) frame.deadline_us = bench.now_us + 9'000;
    queue[4].deadline_us = bench.now_us + 20'000;
    CHECK(bench.ask(queue).level == 2);
    queue[4].deadline_us = bench.now_us + 9'300;  // 6.4 and 3 ms do not fit
    CHECK(bench.ask(queue).count == 4);
    CHECK(bench.ask(queue).level == 1);
  }
  SECTION("expected") {
    queue.pop_back();
    const std::vector<ExpectedFrame> soon = {{4, bench.now_us + 1'000, bench.now_us + 9'000, 0.0}};
    const DispatchDecision decision = bench.ask(queue, soon);
    CHECK(decision.count == 2);  // 4.8 ms and 3 fit into 9; 6.4 and 3 do not
    CHECK(decision.level == 2);
  }
}

TEST_CASE("Frames above their rate ride along last, and a lone one of them takes company") {
  Bench bench(3);
  auto queue = bench.one_each(100'000);
  queue[0].background = true;
  CHECK(members(bench.ask(queue)) == std::vector<std::size_t>{1, 2, 0});
  queue[1].background = queue[2].background = true;
  CHECK(bench.ask(queue).count == 3);
  CHECK(bench.ask(queue).reason == DispatchReason::kBackground);
}

TEST_CASE("One batch teaches the filter once, against its own profile") {
  Policy policy({{"cuda:0", 1}});
  const auto family = Bench::with_batches({1'000});
  const SessionId id = *policy.open({}, family, 0);
  for (int i = 1; i <= 50; ++i) {
    const std::int64_t now_us = i * 10'000;
    for (int member = 0; member < 8; ++member) {
      policy.finished({id, 0, 0, now_us, now_us, now_us + 2'400, kNoDeadline, 0.0, 2'400, 8, member == 0});
    }
  }
  CHECK(policy.slowdown(0).slowdown() == Catch::Approx(1).margin(0.01));
  CHECK(policy.stats(id).service_us().quantile(0.5) > 2'000);
}

TEST_CASE("No batch makes a frame late that one by one would have been in time") {
  std::mt19937 random(5);
  int batches = 0;
  for (int round = 0; round < 3'000; ++round) {
    Bench bench(6);
    const auto other = family_of({1'500});
    bench.sessions[5].family = other.get();
    bench.sessions[5].ceiling = 0;
    std::vector<QueuedFrame> queue;
    for (int i = 0; i < 6; ++i) {
      queue.push_back(bench.frame(static_cast<SessionId>(random() % 6),
                                  2'000 + static_cast<std::int64_t>(random() % 20'000)));
    }
    std::sort(queue.begin(), queue.end(),
              [](const auto& a, const auto& b) { return a.deadline_us < b.deadline_us; });
    // In deadline order at the fastest levels, by the pessimistic estimate: who is in time?
    const auto rest_in_time = [&](double start_us, const std::vector<std::size_t>& without) {
      for (std::size_t i = 0; i < queue.size(); ++i) {
        if (std::find(without.begin(), without.end(), i) != without.end()) continue;
        const double profile = bench.sessions[queue[i].session].family->levels[0].time_us[0];
        start_us += bench.slowdown.quantile_us(profile, 1.645);
        if (start_us > static_cast<double>(queue[i].deadline_us)) return false;
      }
      return true;
    };
    if (!rest_in_time(static_cast<double>(bench.now_us), {})) continue;
    const DispatchDecision decision = bench.ask(queue);
    if (decision.count == 1) continue;
    ++batches;
    const double finish_us = static_cast<double>(bench.now_us) + decision.quantile_us;
    for (const std::size_t member : members(decision)) {
      CHECK(finish_us <= static_cast<double>(queue[member].deadline_us));
    }
    CHECK(rest_in_time(finish_us, members(decision)));
  }
  CHECK(batches > 300);
}
