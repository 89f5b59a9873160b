// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/replay/score.hpp"

#include <algorithm>

#include "tests/bench/replay/players.hpp"

namespace dofa::replay {
namespace {

constexpr std::int64_t kTransientUs = 1'000'000;  // after that, misses are those of the loaded state
constexpr std::int64_t kRecoveryUs = 2'000'000;

double per_minute(std::size_t count, const World& world) {
  return static_cast<double>(count) * 60e6 / static_cast<double>(world.duration_us);
}

std::size_t most_missed_after_a_step(const World& world, const std::vector<FrameRecord>& frames) {
  std::size_t most = 0;
  for (std::size_t p = 0; p < world.phases.size(); ++p) {
    const std::int64_t begin_us = world.phases[p].begin_us;
    std::int64_t end_us = begin_us + kTransientUs;
    if (p + 1 < world.phases.size()) end_us = std::min(end_us, world.phases[p + 1].begin_us);
    most = std::max(
        most,
        static_cast<std::size_t>(std::count_if(frames.begin(), frames.end(), [&](const FrameRecord& frame) {
          return frame.arrived_us >= begin_us && frame.arrived_us < end_us && !frame.on_time();
        })));
  }
  return most;
}

/// Only loads that are followed by 2 s without load can be recovered from.
double slowest_recovery_ms(const World& world, const std::vector<FrameRecord>& frames) {
  double slowest = 0;
  for (std::size_t p = 0; p < world.phases.size(); ++p) {
    const std::int64_t end_us = world.phases[p].end_us;
    const bool quiet_follows =
        p + 1 == world.phases.size() || world.phases[p + 1].begin_us > end_us + kRecoveryUs;
    const auto after = std::find_if(frames.begin(), frames.end(),
                                    [&](const FrameRecord& frame) { return frame.arrived_us >= end_us; });
    if (!quiet_follows || after == frames.end()) continue;
    int before = -1;
    for (const FrameRecord& frame : frames) {
      if (frame.arrived_us < world.phases[p].begin_us) before = std::max(before, frame.ceiling);
    }
    if (after->ceiling >= before) continue;
    const auto risen = std::find_if(after, frames.end(),
                                    [&](const FrameRecord& frame) { return frame.ceiling > after->ceiling; });
    const std::int64_t until_us = risen == frames.end() ? world.duration_us : risen->arrived_us;
    slowest = std::max(slowest, static_cast<double>(until_us - end_us) / 1e3);
  }
  return slowest;
}

}  // namespace

Score score(const World& world, const Outcome& outcome) {
  Score score;
  score.frames = outcome.frames.size();
  std::size_t served = 0;
  std::size_t on_time = 0;
  std::size_t predicted = 0;
  std::size_t covered = 0;
  std::size_t changes = 0;
  int level = -1;
  for (const FrameRecord& frame : outcome.frames) {
    if (!frame.served()) continue;
    ++served;
    on_time += frame.on_time();
    score.mean_accuracy += world.family->levels[static_cast<std::size_t>(frame.level)].accuracy;
    if (frame.predicted_q95_us > 0) {
      ++predicted;
      covered += frame.inference_us <= frame.predicted_q95_us;
    }
    changes += level >= 0 && level != frame.level;
    level = frame.level;
  }
  if (served > 0) score.mean_accuracy /= static_cast<double>(served);
  score.attainment =
      score.frames > 0 ? static_cast<double>(on_time) / static_cast<double>(score.frames) : 1.0;
  score.switches_per_min = per_minute(outcome.switches_us.size(), world);
  score.level_changes_per_min = per_minute(changes, world);
  score.late_after_step = most_missed_after_a_step(world, outcome.frames);
  score.recover_up_ms = slowest_recovery_ms(world, outcome.frames);
  if (predicted > 0) score.coverage_95 = static_cast<double>(covered) / static_cast<double>(predicted);
  return score;
}

Score score(const World& world, const OracleResult& result, const Application& application) {
  Score score;
  score.frames = result.frames;
  score.attainment = result.attainment();
  score.mean_accuracy = result.mean_accuracy();
  std::size_t changes = 0;
  int level = -1;
  std::vector<FrameRecord> frames;
  std::int64_t t_us = application.begin_us;
  for (int chosen : result.levels) {
    changes += level >= 0 && chosen >= 0 && chosen != level;
    if (chosen >= 0) level = chosen;
    FrameRecord frame;
    frame.arrived_us = t_us;
    frame.level = chosen;  // dropped or, as the oracle never answers late, on time
    frame.deadline_us = t_us;
    frames.push_back(frame);
    t_us += *application.contract.period_us;
  }
  score.switches_per_min = score.level_changes_per_min = per_minute(changes, world);
  score.late_after_step = most_missed_after_a_step(world, frames);
  return score;
}

const std::vector<std::string>& policy_names() {
  static const std::vector<std::string> names = {"dofa",   "oracle", "oracle_dwell", "original",
                                                 "static", "alert",  "slackfit"};
  return names;
}

Comparison compare(const World& world, double budget_us, const std::vector<std::string>& policies) {
  Comparison result;
  result.budget_us = budget_us;
  const Application application = whole_length(world, budget_us);
  const auto run = [&](Player& player) { return play(world, {&application, 1}, player); };
  const auto add = [&](const std::string& name, Outcome outcome) {
    result.entries.push_back({name, score(world, outcome), std::move(outcome.frames)});
  };
  const auto wanted = [&](const char* name) {
    return std::find(policies.begin(), policies.end(), name) != policies.end();
  };

  DofaPlayer dofa(world);
  Outcome ours = run(dofa);
  const double attainment = score(world, ours).attainment;
  if (wanted("dofa")) add("dofa", std::move(ours));
  if (wanted("oracle")) {
    result.entries.push_back({"oracle", score(world, oracle(world, application), application), {}});
  }
  if (wanted("oracle_dwell")) {
    const OracleResult best = oracle_under_dwell(world, application, policy::PlannerOptions{}.dwell_us);
    result.entries.push_back({"oracle_dwell", score(world, best, application), {}});
  }
  if (wanted("original")) {
    OriginalPlayer player(world);
    add("original", run(player));
  }
  if (wanted("static")) {
    Outcome best;
    double best_attainment = -1;
    for (std::uint32_t level = kLevels; level-- > 0 && best_attainment < attainment;) {
      StaticPlayer player(world, level);
      Outcome outcome = run(player);
      if (const double reached = score(world, outcome).attainment; reached > best_attainment) {
        best_attainment = reached;
        best = std::move(outcome);
        result.static_level = static_cast<int>(level);
      }
    }
    add("static", std::move(best));
  }
  if (wanted("alert")) {
    AlertPlayer player(world);
    add("alert", run(player));
  }
  if (wanted("slackfit")) {
    SlackFitPlayer player(world);
    add("slackfit", run(player));
  }
  return result;
}

}  // namespace dofa::replay
