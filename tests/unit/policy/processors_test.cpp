// SPDX-License-Identifier: Apache-2.0
// Several processors: which levels are worth having on each, and how sessions move between them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "daemon/policy/policy.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/support.hpp"

using namespace dofa;
using namespace dofa::policy;

namespace {

constexpr std::int64_t kPeriodUs = 33'000;
constexpr std::int64_t kTickUs = 100'000;
constexpr std::uint32_t kGpu = 1;
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

Contract contract(std::int64_t budget_us) {
  Contract result;
  result.latency_budget_us = budget_us;
  result.period_us = kPeriodUs;
  return result;
}

std::shared_ptr<FamilyProfile> two_processors(const std::vector<double>& cpu_us,
                                              const std::vector<double>& gpu_us) {
  auto family = family_of(cpu_us);
  for (std::size_t level = 0; level < gpu_us.size(); ++level)
    family->levels[level].time_us[kGpu] = gpu_us[level];
  mark_dominated(*family);
  return family;
}

/// A CPU that keeps 12 ms at level 0 alone, and a GPU that keeps it at the top; frames and ticks in virtual
/// time.
struct Pool {
  Policy policy{{{"cpu", 1}, {"cuda:0", 1}}};
  std::shared_ptr<FamilyProfile> family;
  std::vector<SessionId> ids;
  double gpu_slowdown = 1;
  double gpu_reading = kUnknown;
  std::int64_t now_us = 0;
  int moves = 0;

  explicit Pool(int sessions = 1, const Contract& asked = contract(12'000),
                const std::vector<double>& gpu_us = {1'000, 2'000, 3'000})
      : family(two_processors({8'000, 16'000, 24'000}, gpu_us)) {
    for (int i = 0; i < sessions; ++i) ids.push_back(*policy.open(asked, family, 0));
  }
  [[nodiscard]] std::uint32_t processor(std::size_t session = 0) const {
    return policy.processor_of(policy.session(ids[session]).lane);
  }
  /// One frame of every session, run when it comes.
  void frame() {
    bool trouble = false;  // plan() is called at once then, as control does
    for (const SessionId id : ids) {
      const std::uint32_t lane = policy.session(id).lane;
      const Arrival arrival = policy.arrived(id, now_us);
      const std::vector<QueuedFrame> queue = {{id, arrival.deadline_us, 0.0, arrival.background}};
      const DispatchDecision decision = policy.pick(lane, now_us, queue);
      if (decision.action != DispatchDecision::Action::kRun) {
        policy.dropped(id);
        trouble |= policy.would_flee(id, now_us);
        continue;
      }
      const double noise = 1 + 0.01 * static_cast<double>((now_us / kPeriodUs) % 3 - 1);
      const double slowdown = policy.processor_of(lane) == kGpu ? gpu_slowdown : 1;
      const double took_us =
          family->levels[decision.level].time_us[policy.processor_of(lane)] * slowdown * noise;
      policy.finished({id, lane, decision.level, now_us, now_us, now_us + static_cast<std::int64_t>(took_us),
                       arrival.deadline_us, 0.0, took_us});
      const bool late = took_us > static_cast<double>(arrival.deadline_us - now_us);
      trouble |= late && policy.would_flee(id, now_us);
    }
    if (trouble || now_us / kTickUs != (now_us + kPeriodUs) / kTickUs) tick();
    now_us += kPeriodUs;
  }
  void tick() {
    policy.load(0, kUnknown, now_us);
    policy.load(kGpu, gpu_reading, now_us);
    for (const PlanChange& change : policy.plan(now_us)) moves += change.from.lane != change.to.lane ? 1 : 0;
  }
  void run(std::int64_t for_us) {
    for (const std::int64_t end_us = now_us + for_us; now_us < end_us;) frame();
  }
};

}  // namespace

TEST_CASE("Each processor keeps its own Pareto front") {
  const auto family = two_processors({1'000, 2'000, 3'000, 4'000}, {500, 500, 490, 0});
  CHECK_FALSE(std::any_of(family->levels.begin(), family->levels.end(),
                          [](const auto& l) { return l.dominated[0]; }));
  CHECK(family->levels[0].dominated[kGpu]);
  CHECK(family->levels[1].dominated[kGpu]);
  CHECK(family->levels[2].offered(kGpu));
  CHECK_FALSE(family->levels[3].offered(kGpu));  // it does not run there

  const LevelRange on_cpu = acceptable_levels({}, *family, 0);
  CHECK(on_cpu.floor == 0);
  CHECK(on_cpu.top == 3);
  const LevelRange on_gpu = acceptable_levels({}, *family, kGpu);
  CHECK(on_gpu.floor == 2);
  CHECK(on_gpu.top == 2);
  Contract by_hand;
  by_hand.level = 0;
  CHECK(acceptable_levels(by_hand, *family, kGpu).floor == 0);
}

TEST_CASE("Of twins one stays, and where nobody measured accuracy the rank counts") {
  auto family = family_of({1'000, 1'000});
  family->levels[1].accuracy = family->levels[0].accuracy;
  mark_dominated(*family);
  CHECK(family->levels[0].dominated[0] + family->levels[1].dominated[0] == 1);
  family->levels[0].accuracy = family->levels[1].accuracy = 0;
  family->accuracy_measured = false;
  mark_dominated(*family);
  CHECK(family->levels[0].dominated[0]);
  CHECK_FALSE(family->levels[1].dominated[0]);
}

TEST_CASE("A dominated level between others is neither planned nor dispatched, unless it is fixed by hand") {
  // On the GPU level 1 takes longer than level 2.
  const auto family = two_processors({10'000, 20'000, 30'000, 40'000}, {1'000, 5'000, 4'000, 9'000});
  REQUIRE(family->levels[1].dominated[kGpu]);
  Policy policy({{"cpu", 1}, {"cuda:0", 1}});
  Contract asked = contract(12'000);
  const SessionId id = *policy.open(asked, family, 0);
  REQUIRE(policy.session(id).lane == 1);
  for (int left_us = 800; left_us < 12'000; left_us += 100) {
    const std::vector<QueuedFrame> queue = {{id, left_us, 0.0, false}};
    const DispatchDecision decision = policy.pick(1, 0, queue);
    if (decision.action == DispatchDecision::Action::kRun) CHECK(decision.level != 1);
  }
  for (double slowdown = 1; slowdown < 6; slowdown += 0.1) {
    for (std::int64_t i = 0; i < 20; ++i) {
      const std::int64_t now_us = static_cast<std::int64_t>(slowdown * 10) * 4'000'000 + i * kTickUs;
      const std::uint32_t level = policy.session(id).ceiling;
      if (policy.session(id).lane != 1) break;
      policy.finished({id, 1, level, now_us, now_us, now_us + 1, now_us + 2, 0.0,
                       family->levels[level].time_us[kGpu] * slowdown});
      policy.plan(now_us);
      if (policy.session(id).lane == 1) CHECK(policy.session(id).ceiling != 1);
    }
  }
  asked.level = 1;
  asked.processor = "cuda:0";
  REQUIRE(policy.change(id, asked, 300'000'000).ok());
  const std::vector<QueuedFrame> queue = {{id, 300'012'000, 0.0, false}};
  CHECK(policy.pick(1, 300'000'000, queue).level == 1);
}

TEST_CASE(
    "A level that is no more accurate than a faster one below it is not used, even where it would fit") {
  auto family = family_of({1'000, 2'000, 3'000, 9'000});
  family->levels[2].accuracy = family->levels[1].accuracy;
  mark_dominated(*family);
  REQUIRE(family->levels[2].dominated[0]);
  Policy policy({{"cpu", 1}});
  const SessionId roomy = *policy.open(contract(12'000), family, 0);
  REQUIRE(policy.session(roomy).ceiling == 3);
  const std::vector<QueuedFrame> queue = {{roomy, 5'000, 0.0, false}};  // not 9 ms, but 3
  CHECK(policy.pick(0, 0, queue).level == 1);

  policy.close(roomy);
  CHECK(policy.session(*policy.open(contract(5'000), family, 0)).ceiling == 1);
  PlannedSession session;
  session.family = family.get();
  session.top = 3;
  CHECK(std::isinf(needed_us(session, 2, 0, SlowdownFilter{})));
  CHECK(std::isfinite(needed_us(session, 1, 0, SlowdownFilter{})));
  session.floor = 2;  // fixed by hand
  CHECK(std::isfinite(needed_us(session, 2, 0, SlowdownFilter{})));
}

TEST_CASE("A session has fled a GPU that others use before a fourth frame is late, however slow it became") {
  for (const double slowdown : {2.1, 3.0, 4.0, 10.0, 40.0}) {
    for (const double lowest_us : {1'000.0, 2'000.0, 4'000.0}) {
      for (std::int64_t phase = 0; phase < 3; ++phase) {
        Pool pool(1, contract(12'000), {lowest_us, 5'000, 6'000});
        pool.run(3'000'000 + phase * kPeriodUs);
        REQUIRE(pool.processor() == kGpu);
        const std::uint64_t before = pool.policy.stats(pool.ids[0]).missed();
        pool.gpu_slowdown = slowdown;
        pool.run(3'000'000);
        CHECK(pool.policy.stats(pool.ids[0]).missed() - before <= 3);
        if (lowest_us * slowdown > 12'000) CHECK(pool.processor() == 0);
        if (lowest_us * slowdown < 9'000) CHECK(pool.processor() == kGpu);  // a lower level will do
      }
    }
  }
}

TEST_CASE("A session flees a busy GPU within few frames, and returns once it is free although nobody tells") {
  Pool pool(1, contract(12'000), {4'000, 5'000, 6'000});
  pool.run(3'000'000);
  REQUIRE(pool.processor() == kGpu);
  const std::uint64_t before = pool.policy.stats(pool.ids[0]).missed();
  pool.gpu_slowdown = 4;  // level 0 takes 16 ms
  int frames = 0;
  for (; frames < 100 && pool.processor() == kGpu; ++frames) pool.frame();
  CHECK(frames <= 3);
  pool.run(3'000'000);
  CHECK(pool.processor() == 0);
  CHECK(pool.policy.stats(pool.ids[0]).missed() - before <= static_cast<std::uint64_t>(frames));
  pool.gpu_slowdown = 1;
  const std::int64_t free_us = pool.now_us;
  while (pool.processor() == 0 && pool.now_us - free_us < 60'000'000) pool.frame();
  CHECK(pool.processor() == kGpu);
  CHECK(pool.now_us - free_us < 10'000'000);
  pool.run(5'000'000);
  CHECK(pool.policy.session(pool.ids[0]).ceiling == 2);
}

TEST_CASE("Where nobody tells that the GPU stays busy, the trials grow rare") {
  Pool pool;
  pool.run(1'000'000);
  pool.gpu_slowdown = 15;
  pool.run(120'000'000);
  CHECK(pool.moves >= 3);   // it did try
  CHECK(pool.moves <= 12);  // there and back after 5, 10, 20, 40 s
  CHECK(pool.policy.stats(pool.ids[0]).attainment() > 0.98);
}

TEST_CASE("A GPU that the monitor calls busy is left alone, and used again once it is not") {
  Pool pool;
  pool.run(1'000'000);
  pool.gpu_slowdown = 15;
  pool.gpu_reading = 15;
  pool.run(60'000'000);
  CHECK(pool.moves == 1);
  pool.gpu_slowdown = pool.gpu_reading = 1;
  pool.run(8'000'000);
  CHECK(pool.moves == 2);
  CHECK(pool.processor() == kGpu);
}

TEST_CASE("All sessions in trouble flee, not one a round") {
  Pool pool(3, contract(30'000));
  pool.run(2'000'000);
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(pool.processor(i) == kGpu);
  pool.gpu_slowdown = 40;
  pool.run(1'000'000);
  for (std::size_t i = 0; i < 3; ++i) CHECK(pool.processor(i) == 0);
}

TEST_CASE("A lost GPU's sessions are no reason to refuse others") {
  Pool pool(4);  // as many as the GPU takes; the CPU could not
  Contract fixed = contract(12'000);
  fixed.processor = "cuda:0";
  const SessionId stuck = *pool.policy.open(fixed, pool.family, 0);
  pool.policy.set_usable(kGpu, false, 1'000);
  CHECK_FALSE(pool.policy.session(stuck).met);
  CHECK(pool.policy.session(stuck).lane == 1);
  for (std::size_t i = 0; i < 4; ++i) CHECK(pool.processor(i) == 0);
  pool.policy.plan(2'000);
  CHECK(pool.policy.open(contract(20'000), family_of({500}), 3'000)
            .ok());  // it fits beside those that are kept
  CHECK(pool.policy.open(fixed, pool.family, 3'000).error().code == ErrorCode::kNotReady);
  CHECK(pool.policy.change(pool.ids[0], contract(100'000), 4'000).ok());
  Contract impossible = contract(5'000);
  CHECK(pool.policy.open(impossible, pool.family, 5'000).error().code == ErrorCode::kUnsatisfiable);
  pool.policy.set_usable(kGpu, true, 6'000);
  pool.now_us = 10'000'000;
  for (int i = 0; i < 30; ++i, pool.now_us += kTickUs) pool.tick();
  CHECK(pool.policy.session(stuck).met);
  int on_gpu = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(pool.policy.session(pool.ids[i]).met);
    on_gpu += pool.processor(i) == kGpu ? 1 : 0;
  }
  CHECK(on_gpu >= 2);
}

TEST_CASE("A processor on which the family does not run takes no session of it, whatever happens") {
  auto family = two_processors({8'000, 16'000}, {});
  Policy policy({{"cpu", 1}, {"cuda:0", 1}});
  const SessionId id = *policy.open(contract(12'000), family, 0);
  Contract fixed;
  fixed.processor = "cuda:0";
  CHECK(policy.open(fixed, family, 0).error().code == ErrorCode::kNotSupported);
  for (std::int64_t now_us = 0; now_us < 20'000'000; now_us += kTickUs) {
    policy.finished({id, 0, 0, now_us, now_us, now_us + 90'000, now_us + 12'000, 0.0, 90'000});
    policy.plan(now_us);
    REQUIRE(policy.session(id).lane == 0);
  }
  // One that ran there and no longer does has to leave.
  auto both = two_processors({8'000, 16'000}, {1'000, 2'000});
  policy.set_family(id, both, 30'000'000);
  for (int i = 0; i < 10; ++i) policy.plan(30'000'000 + i * kTickUs);
  REQUIRE(policy.session(id).lane == 1);
  policy.set_family(id, family, 40'000'000);
  CHECK(policy.session(id).lane == 0);
}

TEST_CASE("A GPU that others take a share of runs us slower by the rest") {
  CHECK(expected_gpu_slowdown(0) == 1);
  CHECK(expected_gpu_slowdown(0.5) == Catch::Approx(2));
  CHECK(expected_gpu_slowdown(-0.1) == 1);
  CHECK(expected_gpu_slowdown(1) == Catch::Approx(5));
  CHECK(std::isnan(expected_gpu_slowdown(kUnknown)));
}
