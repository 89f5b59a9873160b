// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/replay/oracle.hpp"

#include <algorithm>
#include <tuple>

namespace dofa::replay {
namespace {

struct Value {
  std::size_t on_time = 0;
  double accuracy_sum = 0;
  friend bool operator<(const Value& a, const Value& b) {
    return std::tie(a.on_time, a.accuracy_sum) < std::tie(b.on_time, b.accuracy_sum);
  }
};

struct State {
  std::int64_t free_us = 0;
  Value value;
  std::size_t from = 0;  // index into the previous frame's states
  int level = -1;
};

/// When the frame would be answered if it started at `start_us`: on the lane of a single processor as the
/// simulator counts, on several at the best of them.
std::int64_t answered_us(const World& world, std::size_t level, std::int64_t arrived_us,
                         std::int64_t start_us) {
  double least = world.courses.front().latency_us(level, arrived_us);
  for (const Course& course : world.courses) least = std::min(least, course.latency_us(level, arrived_us));
  return start_us + static_cast<std::int64_t>(least);
}

}  // namespace

OracleResult oracle(const World& world, const Application& application) {
  const std::int64_t budget_us = *application.contract.latency_budget_us;
  const bool one_lane = world.courses.size() == 1;
  std::vector<std::vector<State>> fronts{{State{}}};
  for (std::int64_t t_us = application.begin_us; t_us < application.end_us;
       t_us += *application.contract.period_us) {
    const std::vector<State>& now = fronts.back();
    // Of the states whose lane is free by now the last is best: values rise along a front.
    const auto busy =
        std::find_if(now.begin(), now.end(), [t_us](const State& state) { return state.free_us > t_us; });
    const auto first = static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, busy - now.begin() - 1));
    std::vector<State> next;
    for (std::size_t from = first; from < now.size(); ++from) {
      const State& state = now[from];
      next.push_back({state.free_us, state.value, from, -1});
      const std::int64_t start_us = one_lane ? std::max(state.free_us, t_us) : t_us;
      for (std::size_t level = 0; level < kLevels; ++level) {
        const std::int64_t done_us = answered_us(world, level, t_us, start_us);
        if (done_us > t_us + budget_us) continue;
        next.push_back(
            {done_us,
             {state.value.on_time + 1, state.value.accuracy_sum + world.family->levels[level].accuracy},
             from,
             static_cast<int>(level)});
      }
    }
    // Keep what is not beaten by a state that is free no later: frames have fixed latencies, so an earlier
    // free lane can do all that a later one can.
    std::sort(next.begin(), next.end(), [](const State& a, const State& b) {
      return a.free_us != b.free_us ? a.free_us < b.free_us : b.value < a.value;
    });
    std::vector<State> front;
    for (const State& state : next) {
      if (front.empty() || front.back().value < state.value) front.push_back(state);
    }
    fronts.push_back(std::move(front));
  }
  OracleResult result;
  result.frames = fronts.size() - 1;
  result.levels.resize(result.frames);
  std::size_t at = fronts.back().size() - 1;
  result.on_time = fronts.back()[at].value.on_time;
  result.accuracy_sum = fronts.back()[at].value.accuracy_sum;
  for (std::size_t frame = result.frames; frame-- > 0;) {
    result.levels[frame] = fronts[frame + 1][at].level;
    at = fronts[frame + 1][at].from;
  }
  return result;
}

OracleResult oracle_under_dwell(const World& world, const Application& application, std::int64_t dwell_us) {
  const std::int64_t budget_us = *application.contract.latency_budget_us;
  const std::int64_t period_us = *application.contract.period_us;
  const auto dwell =
      static_cast<std::size_t>(std::max<std::int64_t>(1, (dwell_us + period_us - 1) / period_us));
  // value[level][held]: the best so far with this level held for that many frames, at most `dwell`; starts
  // free to move.
  constexpr double kNever = -1;
  using Values = std::vector<std::vector<Value>>;
  const Values never(kLevels, std::vector<Value>(dwell + 1, Value{0, kNever}));
  Values values = never;
  for (auto& level : values) level[dwell] = Value{};
  OracleResult result;
  for (std::int64_t t_us = application.begin_us; t_us < application.end_us; t_us += period_us) {
    ++result.frames;
    Values next = never;
    for (std::size_t to = 0; to < kLevels; ++to) {
      const bool on_time = answered_us(world, to, t_us, t_us) <= t_us + budget_us;
      const auto reach = [&](const Value& before, std::size_t held) {
        if (before.accuracy_sum == kNever) return;
        Value value = before;
        if (on_time) {
          ++value.on_time;
          value.accuracy_sum += world.family->levels[to].accuracy;
        }
        if (next[to][held].accuracy_sum == kNever || next[to][held] < value) next[to][held] = value;
      };
      for (std::size_t from = 0; from < kLevels; ++from) {
        for (std::size_t held = from < to ? dwell : 0; held <= dwell; ++held) {
          reach(values[from][held], from == to ? std::min(held + 1, dwell) : 1);
        }
      }
    }
    values = std::move(next);
  }
  Value best{0, kNever};
  for (const auto& level : values) {
    for (const Value& value : level) {
      if (value.accuracy_sum != kNever && (best.accuracy_sum == kNever || best < value)) best = value;
    }
  }
  result.on_time = best.on_time;
  result.accuracy_sum = best.accuracy_sum;
  return result;
}

OracleResult oracle_bound(const World& world, std::span<const Application> applications) {
  OracleResult total;
  for (const Application& application : applications) {
    const OracleResult alone = oracle(world, application);
    total.frames += alone.frames;
    total.on_time += alone.on_time;
    total.accuracy_sum += alone.accuracy_sum;
  }
  return total;
}

}  // namespace dofa::replay
