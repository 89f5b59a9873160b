// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/policy.hpp"

#include <algorithm>

#include "tests/support/catch.hpp"
#include "tests/unit/policy/support.hpp"

using namespace dofa;
using namespace dofa::policy;

namespace {

constexpr std::int64_t kPeriodUs = 40'000;
constexpr std::int64_t kTickUs = 100'000;

Contract contract(std::int64_t budget_us) {
  Contract result;
  result.latency_budget_us = budget_us;
  result.period_us = kPeriodUs;
  return result;
}

/// Control's part in virtual time for one session: frames every 40 ms, ticks every 100 ms, a given slowdown.
struct Machine {
  Policy policy{{{"cpu", 1}}};
  std::shared_ptr<FamilyProfile> family = family_of({2'000, 4'000, 8'000, 12'000});
  SessionId id = 0;
  std::int64_t now_us = 0;
  std::vector<PlanChange> changes;

  explicit Machine(const Contract& asked) { id = *policy.open(asked, family, now_us); }

  void run(double slowdown, std::int64_t for_us) {
    for (const std::int64_t end_us = now_us + for_us; now_us < end_us; now_us += kPeriodUs) {
      const Arrival arrival = policy.arrived(id, now_us);
      const std::vector<QueuedFrame> queue = {{id, arrival.deadline_us, 0.0, arrival.background}};
      const DispatchDecision decision = policy.pick(0, now_us, queue);
      if (decision.action == DispatchDecision::Action::kRun) {
        // One or two per cent of noise, or the filter would never see any.
        const double noise = 1 + 0.01 * static_cast<double>((now_us / kPeriodUs) % 3 - 1);
        const double took_us = slowdown * noise * family->levels[decision.level].time_us[0];
        policy.finished({id, 0, decision.level, now_us, now_us, now_us + static_cast<std::int64_t>(took_us),
                         arrival.deadline_us, 0.0, took_us});
      } else {
        policy.dropped(id);
      }
      policy.load(0, slowdown, now_us);  // the monitor sees it too, a frame later
      if (now_us % kTickUs < kPeriodUs) {
        const auto news = policy.plan(now_us);
        changes.insert(changes.end(), news.begin(), news.end());
      }
    }
  }
};

}  // namespace

TEST_CASE("A session opens at the highest level that keeps its contract at rest") {
  CHECK(Machine(contract(20'000)).policy.session(0).ceiling == 3);
  CHECK(Machine(contract(10'500)).policy.session(0).ceiling == 2);
  CHECK(Machine(contract(3'000)).policy.session(0).ceiling == 0);
}

TEST_CASE("Under load the ceiling falls past levels, and is back within two seconds after it") {
  Machine machine(contract(16'000));
  machine.run(1.0, 5'000'000);
  CHECK(machine.policy.session(machine.id).ceiling == 3);
  CHECK(machine.changes.empty());
  machine.run(3.0, 10'000'000);
  CHECK(machine.policy.session(machine.id).ceiling == 1);
  REQUIRE_FALSE(machine.changes.empty());
  CHECK(machine.changes.front().reason == PlanReason::kLoad);
  CHECK(machine.policy.session(machine.id).met);
  const std::uint64_t missed = machine.policy.stats(machine.id).missed();
  CHECK(missed <= 3);
  machine.run(1.0, 2'000'000);
  CHECK(machine.policy.session(machine.id).ceiling == 3);
  CHECK(machine.changes.back().reason == PlanReason::kRecovered);
  CHECK(machine.policy.stats(machine.id).missed() == missed);
}

TEST_CASE("Below level 0 the session is reported, served on and taken back up") {
  Machine machine(contract(6'000));
  machine.run(1.0, 2'000'000);
  machine.run(5.0, 5'000'000);
  const SessionPlan overloaded = machine.policy.session(machine.id);
  CHECK(overloaded.ceiling == 0);
  CHECK_FALSE(overloaded.met);
  CHECK(machine.changes.back().reason == PlanReason::kOverloaded);
  const auto nearest = machine.policy.nearest(machine.id);
  REQUIRE(nearest);
  CHECK(*nearest->latency_budget_us > 9'000);  // 2 ms at slowdown 5 needs at least 10
  machine.run(1.0, 3'000'000);
  CHECK(machine.policy.session(machine.id).met);
  CHECK(machine.policy.session(machine.id).ceiling > 0);
}

TEST_CASE("With when-late drop an overloaded session keeps looking whether it has become better") {
  Contract drop = contract(6'000);
  drop.when_late = WhenLate::kDrop;
  Machine machine(drop);
  machine.run(1.0, 2'000'000);
  machine.run(8.0, 5'000'000);
  const std::uint64_t drops = machine.policy.stats(machine.id).drops();
  CHECK(drops > 50);
  CHECK(machine.policy.stats(machine.id).late() > 5);  // the probes
  machine.run(1.0, 3'000'000);
  CHECK(machine.policy.session(machine.id).met);
  const std::uint64_t before = machine.policy.stats(machine.id).missed();
  machine.run(1.0, 5'000'000);
  CHECK(machine.policy.stats(machine.id).missed() == before);
}

TEST_CASE("A contract that does not fit is refused with the nearest that does") {
  Machine machine(contract(20'000));
  SECTION("beside an admitted one") {
    Contract heavy = contract(20'000);
    heavy.period_us = 2'100;
    const auto refused = machine.policy.open(heavy, machine.family, 0);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kUnsatisfiable);
    CHECK(refused.error().message.find("period-us") != std::string::npos);
  }
  SECTION("and a changed contract leaves the old one in force") {
    CHECK_FALSE(machine.policy.change(machine.id, contract(1'000), 0).ok());
    CHECK(*machine.policy.contract(machine.id).latency_budget_us == 20'000);
    CHECK(machine.policy.change(machine.id, contract(5'000), 0).ok());
    CHECK(machine.policy.session(machine.id).ceiling == 1);
  }
  SECTION("an unknown processor is an invalid argument") {
    Contract elsewhere = contract(20'000);
    elsewhere.processor = "cuda:0";
    CHECK(machine.policy.open(elsewhere, machine.family, 0).error().code == ErrorCode::kInvalidArgument);
  }
}

TEST_CASE("Admission goes by the machine at rest, not by the load of the moment") {
  Machine machine(contract(20'000));
  machine.run(4.0, 3'000'000);
  CHECK(machine.policy.open(contract(20'000), machine.family, machine.now_us).ok());
}

TEST_CASE("Priority decides who keeps accuracy when two share a lane") {
  Policy policy({{"cpu", 1}});
  const auto family = family_of({4'000, 12'000, 20'000});
  Contract modest = contract(39'000);
  Contract important = contract(39'000);
  important.priority = 10;
  const SessionId first = *policy.open(modest, family, 0);
  CHECK(policy.session(first).ceiling == 2);
  const SessionId second = *policy.open(important, family, 0);
  CHECK(policy.session(second).ceiling > policy.session(first).ceiling);
  const auto changes = policy.plan(kTickUs);
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].session == first);
  CHECK(changes[0].reason == PlanReason::kSharing);
}

TEST_CASE("Sessions spread over lanes, and leave a processor that is lost") {
  auto family = family_of({4'000, 12'000, 20'000});
  for (std::size_t level = 0; level < 3; ++level)
    family->levels[level].time_us[1] = family->levels[level].time_us[0] / 5;
  Policy policy({{"cpu", 1}, {"cuda:0", 1}});
  const SessionId id = *policy.open(contract(10'000), family, 0);
  CHECK(policy.session(id).lane == 1);  // only the GPU keeps the top level within 10 ms
  CHECK(policy.session(id).ceiling == 2);
  policy.set_usable(1, false, 1'000);
  CHECK(policy.session(id).lane == 0);
  CHECK(policy.session(id).ceiling == 0);
  const auto changes = policy.plan(kTickUs);
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].reason == PlanReason::kLost);
  policy.set_usable(1, true, 20'000'000);
  for (std::int64_t now_us = 20'000'000; now_us < 21'000'000; now_us += kTickUs) policy.plan(now_us);
  CHECK(policy.session(id).lane == 1);
}

TEST_CASE("A level fixed by hand is used whatever the load") {
  Contract fixed = contract(16'000);
  fixed.level = 2;
  Machine machine(fixed);
  machine.run(1.0, 1'000'000);
  machine.run(6.0, 3'000'000);
  CHECK(machine.policy.session(machine.id).ceiling == 2);
  CHECK(machine.policy.stats(machine.id).mean_accuracy() == Catch::Approx(0.72));
}

TEST_CASE("Frames above the rate are background, and a missing period means no rate") {
  Machine machine(contract(20'000));
  CHECK_FALSE(machine.policy.arrived(machine.id, 0).background);
  CHECK_FALSE(machine.policy.arrived(machine.id, 1).background);
  CHECK(machine.policy.arrived(machine.id, 2).background);
  Contract free_running;
  free_running.latency_budget_us = 100'000;
  const SessionId other = *machine.policy.open(free_running, machine.family, 0);
  for (int i = 0; i < 10; ++i) CHECK_FALSE(machine.policy.arrived(other, i).background);
}

TEST_CASE("A suspend makes the policy careful and nothing worse") {
  Machine machine(contract(16'000));
  machine.run(1.0, 5'000'000);
  machine.policy.suspended(machine.now_us);
  machine.now_us += 3'600'000'000;
  machine.run(1.0, 5'000'000);
  CHECK(machine.policy.session(machine.id).ceiling == 3);
  CHECK(machine.policy.stats(machine.id).attainment() > 0.99);
}

TEST_CASE("A closed session's place is used again") {
  Machine machine(contract(20'000));
  machine.policy.close(machine.id);
  CHECK(machine.policy.plan(kTickUs).empty());
  CHECK(*machine.policy.open(contract(20'000), machine.family, 0) == machine.id);
}
