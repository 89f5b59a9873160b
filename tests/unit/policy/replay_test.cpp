// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "tests/bench/replay/players.hpp"
#include "tests/bench/replay/plot.hpp"
#include "tests/bench/replay/score.hpp"
#include "tests/bench/replay/synthetic.hpp"
#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::replay;

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr double kFactors[] = {1.1, 1.5, 2.5};

World cpu_world(const std::string& name, std::int64_t seconds, SlowdownCourse slowdown,
                std::uint32_t seed = 1) {
  return make_world(name, seconds * kSecond, {{"cpu", 1, std::move(slowdown)}}, seed);
}

struct Run {
  Outcome outcome;
  Score scored;
};
Run run_dofa(const World& world, const Application& application) {
  DofaPlayer player(world);
  Run run;
  run.outcome = play(world, {&application, 1}, player);
  run.scored = score(world, run.outcome);
  return run;
}

std::vector<std::string> recorded() {
  const char* shared = std::getenv("DOFA_SHARED");
  const std::filesystem::path root =
      (shared != nullptr ? std::filesystem::path(shared)
                         : std::filesystem::path(DOFA_SOURCE_DIR) / ".." / "shared") /
      "traces";
  std::vector<std::string> traces;
  if (std::filesystem::is_directory(root)) {
    for (const auto& entry : std::filesystem::directory_iterator(root)) {
      if (entry.is_directory()) traces.push_back(entry.path());
    }
  }
  std::sort(traces.begin(), traces.end());
  if (traces.empty()) std::printf("skipped: no recorded traces under %s\n", root.c_str());
  return traces;
}

/// Lexicographically more than the oracle: more frames on time, or as many with more accuracy.
bool beats(const Outcome& outcome, const World& world, const OracleResult& best) {
  std::size_t on_time = 0;
  double accuracy = 0;
  for (const FrameRecord& frame : outcome.frames) {
    if (!frame.on_time()) continue;
    ++on_time;
    accuracy += world.family->levels[static_cast<std::size_t>(frame.level)].accuracy;
  }
  return on_time > best.on_time || (on_time == best.on_time && accuracy > best.accuracy_sum + 1e-6);
}

}  // namespace

TEST_CASE("The levels lie between the recorded networks") {
  const World world = cpu_world("quiet", 10, constant(1));
  CHECK(mix_of(0).share == Catch::Approx(0).margin(1e-9));
  CHECK(mix_of(9).net == 1);
  CHECK(mix_of(9).share == Catch::Approx(1));
  for (std::size_t level = 1; level < kLevels; ++level) {
    CHECK(world.family->levels[level].time_us[0] > world.family->levels[level - 1].time_us[0]);
  }
  CHECK(world.family->levels.front().accuracy == Catch::Approx(0.70));
  CHECK(world.family->levels.back().accuracy == Catch::Approx(0.79));
}

TEST_CASE("A constant slowdown settles: at most two switches a minute after ten seconds") {
  for (double factor : kFactors) {
    for (int step = 0; step <= 60; ++step) {
      const double slowdown = 1.0 + 0.05 * step;
      const World world = cpu_world("constant", 70, constant(slowdown), static_cast<std::uint32_t>(step));
      const Run run = run_dofa(world, whole_length(world, factor * world.quiet_p95_us));
      const auto late = std::count_if(run.outcome.switches_us.begin(), run.outcome.switches_us.end(),
                                      [](std::int64_t t_us) { return t_us > 10 * kSecond; });
      INFO("slowdown " << slowdown << " budget " << factor);
      CHECK(late <= 2);
      CHECK(run.scored.attainment > 0.97);
    }
  }
}

TEST_CASE("After a step at most three frames are late, and the level is back two seconds after it") {
  for (double factor : kFactors) {
    for (double slowdown = 1.25; slowdown <= 4.0; slowdown += 0.25) {
      const World world = cpu_world("step", 40, step(slowdown, 15'010'000, 25'010'000), 7);
      const Run run = run_dofa(world, whole_length(world, factor * world.quiet_p95_us));
      INFO("slowdown " << slowdown << " budget " << factor);
      CHECK(run.scored.late_after_step <= 3);
      int before = -1;
      for (const FrameRecord& frame : run.outcome.frames) {
        if (frame.arrived_us < 15 * kSecond) before = frame.ceiling;
        if (frame.arrived_us > 27'010'000) CHECK(frame.ceiling >= before);
      }
    }
  }
}

TEST_CASE("No policy beats the oracle on made-up load") {
  const World worlds[] = {
      cpu_world("ramp", 30, ramp(4, 5 * kSecond, 25 * kSecond)),
      cpu_world("bursts", 30, bursts(2.5, 300'000, 500'000)),
      cpu_world("throttle", 30, [](std::int64_t t_us) { return t_us < 10 * kSecond ? 1.0 : 1.35; }),
  };
  for (const World& world : worlds) {
    // A budget beyond the period lets frames wait for each other, where the oracle has to plan ahead.
    for (double budget_us : {16'000.0, 25'000.0, 90'000.0}) {
      const Application application = whole_length(world, budget_us);
      const OracleResult best = oracle(world, application);
      std::vector<std::unique_ptr<Player>> players;
      players.push_back(std::make_unique<DofaPlayer>(world));
      players.push_back(std::make_unique<OriginalPlayer>(world));
      players.push_back(std::make_unique<AlertPlayer>(world));
      players.push_back(std::make_unique<SlackFitPlayer>(world));
      for (std::uint32_t level = 0; level < kLevels; ++level) {
        players.push_back(std::make_unique<StaticPlayer>(world, level));
      }
      for (const auto& player : players) {
        INFO(world.name << " budget " << budget_us);
        CHECK_FALSE(beats(play(world, {&application, 1}, *player), world, best));
      }
      const OracleResult dwelling = oracle_under_dwell(world, application, kSecond);
      if (budget_us <= 40'000) {
        CHECK(dwelling.on_time <= best.on_time);
        if (dwelling.on_time == best.on_time) CHECK(dwelling.accuracy_sum <= best.accuracy_sum + 1e-6);
      }
    }
  }
}

TEST_CASE("The oracle agrees with trying every choice on a short course") {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    World world = cpu_world("short", 1, bursts(6, 150'000, 100'000), seed);
    Application application = whole_length(world, 70'000);  // beyond the period: frames wait for each other
    application.end_us = 200'000;                           // five frames
    std::size_t most = 0;
    double accuracy = 0;
    const std::function<void(std::int64_t, std::int64_t, std::size_t, double)> search =
        [&](std::int64_t t_us, std::int64_t free_us, std::size_t on_time, double sum) {
          if (t_us >= application.end_us) {
            if (on_time > most || (on_time == most && sum > accuracy)) {
              most = on_time;
              accuracy = sum;
            }
            return;
          }
          search(t_us + 40'000, free_us, on_time, sum);
          for (std::size_t level = 0; level < kLevels; ++level) {
            const std::int64_t done_us =
                std::max(t_us, free_us) + static_cast<std::int64_t>(world.courses[0].latency_us(level, t_us));
            if (done_us <= t_us + 70'000) {
              search(t_us + 40'000, done_us, on_time + 1, sum + world.family->levels[level].accuracy);
            }
          }
        };
    search(0, 0, 0, 0.0);
    const OracleResult best = oracle(world, application);
    INFO("seed " << seed);
    CHECK(best.on_time == most);
    CHECK(best.accuracy_sum == Catch::Approx(accuracy));
  }
}

TEST_CASE("A GPU that is taken away is left, and taken again when it is given back") {
  const World world = make_world(
      "gpu", 40 * kSecond, {{"cpu", 1, constant(1)}, {"cuda:0", 4, step(40, 10 * kSecond, 20 * kSecond)}});
  Application application = whole_length(world, 9'000);  // the CPU keeps this up to level 6, the GPU all
  const Run run = run_dofa(world, application);
  const auto on_gpu = [&](std::int64_t from_us, std::int64_t to_us) {
    return std::count_if(run.outcome.frames.begin(), run.outcome.frames.end(), [&](const FrameRecord& frame) {
      return frame.arrived_us >= from_us && frame.arrived_us < to_us && frame.processor == 1;
    });
  };
  CHECK(on_gpu(2 * kSecond, 10 * kSecond) == 200);
  CHECK(on_gpu(14 * kSecond, 20 * kSecond) == 0);
  CHECK(on_gpu(35 * kSecond, 39 * kSecond) == 100);
  CHECK(run.scored.attainment > 0.97);
}

TEST_CASE("One to eight sessions with mixed contracts keep them once admitted") {
  const World world = cpu_world("quiet", 30, constant(1));
  const std::int64_t budgets_us[] = {16'500, 30'000, 60'000, 90'000};
  const std::int64_t periods_us[] = {40'000, 66'000, 100'000, 200'000};
  for (std::size_t count = 1; count <= 8; ++count) {
    std::vector<Application> applications;
    for (std::size_t i = 0; i < count; ++i) {
      Application application = whole_length(world, 0);
      application.contract.latency_budget_us = budgets_us[(i + count) % 4];
      application.contract.period_us = periods_us[(i * 3 + count) % 4];
      application.contract.priority = 1 + static_cast<std::uint32_t>(i % 3);
      application.begin_us = 7'000 * static_cast<std::int64_t>(i);
      applications.push_back(application);
    }
    DofaPlayer player(world);
    const Outcome outcome = play(world, applications, player);
    std::size_t admitted = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (!outcome.admitted[i]) continue;
      ++admitted;
      std::size_t frames = 0;
      std::size_t on_time = 0;
      for (const FrameRecord& frame : outcome.frames) {
        if (frame.session != i) continue;
        ++frames;
        on_time += frame.on_time();
      }
      INFO("session " << i << " of " << count << " on time " << on_time << " of " << frames);
      CHECK(static_cast<double>(on_time) >= 0.95 * static_cast<double>(frames));
    }
    CHECK(admitted >= std::min<std::size_t>(count, 3));
    CHECK_FALSE(beats(outcome, world, oracle_bound(world, applications)));
  }
}

TEST_CASE("A long queue of one session does not starve another") {
  const World world = cpu_world("quiet", 20, constant(1));
  std::vector<Application> applications(2, whole_length(world, 30'000));
  applications[1].contract.period_us = 100'000;
  applications[1].every_us = 4'000;  // 25 times what it promised
  applications[1].end_us = 5 * kSecond;
  DofaPlayer player(world);
  const Outcome outcome = play(world, applications, player);
  std::size_t frames = 0;
  std::size_t on_time = 0;
  for (const FrameRecord& frame : outcome.frames) {
    if (frame.session != 0) continue;
    ++frames;
    on_time += frame.on_time();
  }
  CHECK(static_cast<double>(on_time) >= 0.95 * static_cast<double>(frames));
}

TEST_CASE("Over the recorded traces the contract is kept and accuracy not given away") {
  double covered = 0;
  double predicted = 0;
  for (const std::string& directory : recorded()) {
    const Result<World> world = load_trace(directory);
    REQUIRE(world.ok());
    const bool bursts = world->name.find("bursts") != std::string::npos;
    for (double factor : kFactors) {
      const Application application = whole_length(*world, factor * world->quiet_p95_us);
      const Run ours = run_dofa(*world, application);
      const OracleResult best = oracle(*world, application);
      const OracleResult dwelling =
          oracle_under_dwell(*world, application, policy::PlannerOptions{}.dwell_us);
      INFO(world->name << " budget " << factor);
      CHECK_FALSE(beats(ours.outcome, *world, best));
      CHECK(ours.scored.attainment >= (bursts ? 0.96 : 0.98) * best.attainment());
      CHECK(ours.scored.mean_accuracy >= dwelling.mean_accuracy() - (bursts ? 0.015 : 0.010));
      CHECK(ours.scored.late_after_step <= 3);
      covered += *ours.scored.coverage_95 * static_cast<double>(ours.scored.frames);
      predicted += static_cast<double>(ours.scored.frames);

      const auto not_better = [&](Player& player) {
        const Outcome outcome = play(*world, {&application, 1}, player);
        CHECK_FALSE(beats(outcome, *world, best));
        const Score theirs = score(*world, outcome);
        // A thousandth of a point is a single frame one level lower.
        CHECK((theirs.attainment < ours.scored.attainment ||
               theirs.mean_accuracy <= ours.scored.mean_accuracy + 2e-4));
      };
      AlertPlayer alert(*world);
      SlackFitPlayer slackfit(*world);
      OriginalPlayer original(*world);
      not_better(alert);
      not_better(slackfit);
      not_better(original);
      for (std::uint32_t level = 0; level < kLevels; ++level) {
        StaticPlayer always(*world, level);
        not_better(always);
      }
    }
  }
  if (predicted > 0) {
    CHECK(covered / predicted >= 0.93);
    CHECK(covered / predicted <= 0.97);
  }
}

TEST_CASE("A trace that is not one is an error with the file's name") {
  const Result<World> nowhere = load_trace("/nonexistent/trace");
  REQUIRE_FALSE(nowhere.ok());
  CHECK(nowhere.error().message.find("/nonexistent/trace/latency.csv") != std::string::npos);
}

TEST_CASE("The picture shows every frame, the budget and the load") {
  const World world = cpu_world("step<1>", 4, step(2, kSecond, 2 * kSecond));
  Run run = run_dofa(world, whole_length(world, 20'000));
  const std::size_t frames = run.outcome.frames.size();
  const std::string svg =
      plot({{world.name, 20'000, world.duration_us, world.phases, std::move(run.outcome.frames)}});
  std::size_t circles = 0;
  for (std::size_t at = svg.find("<circle"); at != std::string::npos; at = svg.find("<circle", at + 1))
    ++circles;
  CHECK(circles == frames);
  CHECK(svg.find("budget") != std::string::npos);
  CHECK(svg.find("fill='#eeeeee'") != std::string::npos);
  CHECK(svg.find("step&lt;1>") != std::string::npos);
  CHECK(svg.starts_with("<svg"));
  CHECK(svg.ends_with("</svg>\n"));
}
