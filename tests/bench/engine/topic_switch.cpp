// SPDX-License-Identifier: Apache-2.0
// dofa-bench switch: what choosing another sub-network costs, and how much slower its first frame is than its
// steady ones.
#include <cstdio>

#include "daemon/engine/elastic.hpp"
#include "tests/bench/engine/options.hpp"
#include "tests/bench/engine/random_ofa.hpp"

namespace dofa::bench {
namespace {
constexpr int kSteadyFrames = 12;

struct Times {
  std::vector<double> switch_us;
  std::vector<double> first;   ///< each relative to its level's steady median
  std::vector<double> steady;  ///< likewise
};

Result<Times> measure(int rounds) {
  std::vector<NamedNet> nets = named_nets();
  std::erase_if(nets, [](const NamedNet& net) { return !net.name.starts_with("paper") || net.width != 1.2; });
  const auto backend = engine::make_elastic_backend(random_model(nets, false));
  if (!backend) return backend.error();
  const auto executor = (*backend)->make_executor();
  if (!executor) return executor.error();
  engine::OfaExecutor& lane = **executor;
  const auto levels = static_cast<std::uint32_t>(nets.size());
  // Milliseconds: one vector of first frames and one of steady frames a level.
  std::vector<std::vector<double>> first(levels), steady(levels);
  Times times;
  const auto run = [&](std::uint32_t level, std::vector<double>* to) {
    const auto start = std::chrono::steady_clock::now();
    if (!lane.run(level)) return false;
    if (to != nullptr) to->push_back(milliseconds_since(start));
    return true;
  };
  for (int round = 0; round < rounds; ++round) {
    // Every ordered pair of levels in turn.
    for (std::uint32_t from = 0; from < levels; ++from) {
      for (std::uint32_t to = 0; to < levels; ++to) {
        if (from == to) continue;
        if (!run(from, nullptr) || !run(from, nullptr))
          return Error{ErrorCode::kFailed, "a level does not run"};
        const auto start = std::chrono::steady_clock::now();
        const bool ready = !lane.input(to).empty();
        times.switch_us.push_back(1e3 * milliseconds_since(start));
        bool ran = ready && run(to, &first[to]);
        for (int i = 0; i < kSteadyFrames / static_cast<int>(levels); ++i) ran = ran && run(to, &steady[to]);
        if (!ran) return Error{ErrorCode::kFailed, "a level does not run"};
      }
    }
  }
  for (std::uint32_t level = 0; level < levels; ++level) {
    const double median = quantile(steady[level], 0.5);
    for (const double ms : first[level]) times.first.push_back(ms / median);
    for (const double ms : steady[level]) times.steady.push_back(ms / median);
  }
  return times;
}
}  // namespace

int run_switch(const Arguments& arguments) {
  const auto options = parse_engine_options(arguments);
  const Result<Times> times = options ? measure(options->rounds) : Result<Times>(options.error());
  if (!times) {
    std::fprintf(stderr, "dofa-bench switch: %s\n", times.error().message.c_str());
    return options ? 1 : 2;
  }
  const double p99 = quantile(times->first, 0.99) / quantile(times->steady, 0.99);
  const double median = quantile(times->first, 0.5) / quantile(times->steady, 0.5);
  const double switch_us = quantile(times->switch_us, 0.99);
  json::Writer json;
  begin_report(json, "switch", 1);
  json.member("switch_us_p99", switch_us)
      .member("first_frame_ratio_p99", p99)
      .member("first_frame_ratio_median", median);
  json.end_object();
  if (options->json)
    std::puts(json.text().c_str());
  else
    std::printf("switch p99 %.2f us; first frame against steady ones: p99 %.3f, median %.3f\n", switch_us,
                p99, median);
  return 0;
}

}  // namespace dofa::bench
