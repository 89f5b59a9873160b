// SPDX-License-Identifier: Apache-2.0
// dofa-bench replay: recorded traces through every policy, as JSON, a table and the picture of the paper's
// Fig. 7.
#include <algorithm>
#include <cstdio>
#include <fstream>

#include "tests/bench/replay/plot.hpp"
#include "tests/bench/replay/score.hpp"
#include "tests/bench/topic.hpp"

namespace dofa::bench {
namespace {

constexpr double kBudgetFactors[] = {1.1, 1.5, 2.5};  // of the top level's quiet p95

struct Options {
  std::vector<std::string> traces;
  std::vector<std::string> policies;
  std::string plot;
  bool json = false;
};

bool parse(const Arguments& arguments, Options& options) {
  const std::vector<std::string>& known = replay::policy_names();
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--json") {
      options.json = true;
    } else if (arguments[i] == "--plot" && i + 1 < arguments.size()) {
      options.plot = arguments[++i];
    } else if (arguments[i] == "--policy" && i + 1 < arguments.size()) {
      while (i + 1 < arguments.size() &&
             (arguments[i + 1] == "all" ||
              std::find(known.begin(), known.end(), arguments[i + 1]) != known.end())) {
        options.policies.push_back(arguments[++i]);
      }
      if (options.policies.empty()) {
        std::fprintf(stderr, "dofa-bench replay: no policy '%s'\n", arguments[i + 1].c_str());
        return false;
      }
    } else if (arguments[i].starts_with("--")) {
      std::fprintf(stderr, "dofa-bench replay: unknown option or no value: %s\n", arguments[i].c_str());
      return false;
    } else {
      options.traces.push_back(arguments[i]);
    }
  }
  if (options.policies.empty() ||
      std::find(options.policies.begin(), options.policies.end(), "all") != options.policies.end()) {
    options.policies = known;
  }
  if (options.traces.empty()) std::fprintf(stderr, "dofa-bench replay: name at least one trace directory\n");
  return !options.traces.empty();
}

void write(json::Writer& json, const replay::World& world, double factor,
           const replay::Comparison& comparison) {
  json.begin_object().member("name", world.name).member("budget_factor", factor);
  json.member("budget_us", comparison.budget_us).member("quiet_p95_us", world.quiet_p95_us);
  json.key("policies").begin_object();
  for (const auto& [policy, score, frames] : comparison.entries) {
    json.key(policy).begin_object();
    json.member("attainment", score.attainment).member("mean_accuracy", score.mean_accuracy);
    json.member("switches_per_min", score.switches_per_min).member("late_after_step", score.late_after_step);
    json.member("level_changes_per_min", score.level_changes_per_min).member("frames", score.frames);
    if (policy == "dofa") json.member("recover_up_ms", score.recover_up_ms);
    if (score.coverage_95) json.member("coverage_95", *score.coverage_95);
    if (policy == "static") json.member("level", comparison.static_level);
    json.end_object();
  }
  json.end_object().end_object();
}

void print(const replay::World& world, double factor, const replay::Comparison& comparison) {
  std::printf("%s, budget %.1f x quiet p95 = %.0f us\n", world.name.c_str(), factor, comparison.budget_us);
  for (const auto& [policy, score, frames] : comparison.entries) {
    std::printf("  %-13s attainment %.4f  accuracy %.4f  switches/min %6.1f  late after step %zu",
                policy.c_str(), score.attainment, score.mean_accuracy, score.switches_per_min,
                score.late_after_step);
    if (score.coverage_95) std::printf("  q95 covers %.3f", *score.coverage_95);
    std::printf("\n");
  }
}

}  // namespace

int run_replay(const Arguments& arguments) {
  Options options;
  if (!parse(arguments, options)) return 2;
  json::Writer json;
  begin_report(json, "replay", 1);
  json.key("traces").begin_array();
  std::vector<replay::Panel> panels;
  for (const std::string& directory : options.traces) {
    const Result<replay::World> world = replay::load_trace(directory);
    if (!world) {
      std::fprintf(stderr, "dofa-bench replay: %s\n", world.error().message.c_str());
      return 1;
    }
    for (double factor : kBudgetFactors) {
      replay::Comparison comparison = replay::compare(*world, factor * world->quiet_p95_us, options.policies);
      write(json, *world, factor, comparison);
      if (!options.json) print(*world, factor, comparison);
      if (options.plot.empty() || factor != kBudgetFactors[1]) continue;
      for (auto& entry : comparison.entries) {
        if (entry.frames.empty()) continue;
        panels.push_back({world->name + ": " + entry.policy, comparison.budget_us, world->duration_us,
                          world->phases, std::move(entry.frames)});
      }
    }
  }
  json.end_array().end_object();
  if (options.json) std::printf("%s\n", json.text().c_str());
  if (!options.plot.empty()) {
    std::ofstream file(options.plot);
    file << replay::plot(panels);
    file.close();
    if (!file) {
      std::fprintf(stderr, "dofa-bench replay: cannot write %s\n", options.plot.c_str());
      return 1;
    }
  }
  return 0;
}

}  // namespace dofa::bench
