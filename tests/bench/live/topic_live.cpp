// SPDX-License-Identifier: Apache-2.0
// dofa-bench live: the scenario on a running dofad, as JSON, SVG and a live table.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>

#include "tests/bench/live/scenario.hpp"
#include "tests/bench/replay/plot.hpp"
#include "tests/bench/topic.hpp"

namespace dofa::bench {
namespace {

struct LiveArguments {
  std::string bus = "system";
  std::string plot;
  bool json = false;
  bool table = false;
  ScenarioOptions scenario;
};

int usage(const std::string& word) {
  std::fprintf(stderr,
               "dofa-bench live: '%s' is not understood; it takes --bus BUS --family NAME [--budget-factor "
               "X] [--least-budget-ms MS] [--hogs N] "
               "[--own-group] [--two] [--seconds N] [--table] [--plot FILE.svg] [--json]\n",
               word.c_str());
  return 2;
}

/// One line an application: what it gets at the moment.
void print_line(const std::string& phase, const std::vector<const Camera*>& cameras) {
  std::string line = phase + std::string(phase.size() < 12 ? 12 - phase.size() : 0, ' ');
  for (const Camera* camera : cameras) {
    const auto frames = camera->latest(monotonic_us(), 1'000'000);
    std::map<int, int> levels;
    int in_time = 0;
    for (const CameraFrame& frame : frames) {
      ++levels[frame.level];
      in_time += frame.in_time;
    }
    char text[160];
    std::snprintf(text, sizeof text, "| %-8s %3zu frames/s %5.1f %% in time, levels", camera->name().c_str(),
                  frames.size(), frames.empty() ? 0.0 : 100.0 * in_time / static_cast<double>(frames.size()));
    line += text;
    for (const auto& [level, count] : levels)
      line += level < 0 ? " dropped:" + std::to_string(count)
                        : " " + std::to_string(level) + ":" + std::to_string(count);
    line += "  ";
  }
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void write_plot(const std::string& path, const ScenarioResult& result) {
  std::vector<replay::Panel> panels;
  for (const ApplicationResult& application : result.applications) {
    replay::Panel panel{application.name,
                        static_cast<double>(application.budget_us),
                        result.duration_us,
                        {{result.load_begin_us, result.load_end_us, "CPU hogs"}},
                        {}};
    for (const CameraFrame& frame : application.frames) {
      replay::FrameRecord record;
      record.arrived_us = record.started_us = frame.submitted_us;
      record.deadline_us = frame.submitted_us + application.budget_us;
      record.finished_us = frame.submitted_us + frame.latency_us;
      record.level = record.ceiling = frame.level;
      panel.frames.push_back(record);
    }
    panels.push_back(std::move(panel));
  }
  std::ofstream(path) << replay::plot(panels);
}

void print_json(const ScenarioResult& result, const ScenarioOptions& options) {
  json::Writer json;
  begin_report(json, "live", 1);
  const LiveFigures first = figures(result, result.applications.front());
  json.member("hogs", options.hogs).member("own_group", options.own_group);
  json.member("budget_us", result.applications.front().budget_us).member("quiet_p95_us", result.quiet_p95_us);
  json.member("late_after_step", first.late_after_step).member("recover_down_ms", first.recover_down_ms);
  json.member("recover_up_ms", first.recover_up_ms).member("attainment", first.attainment);
  json.key("applications").begin_array();
  for (const ApplicationResult& application : result.applications) {
    const LiveFigures each = figures(result, application);
    json.begin_object().member("name", application.name).member("frames", application.frames.size());
    json.member("attainment", each.attainment).member("attainment_loaded", each.attainment_loaded);
    json.member("late_after_step", each.late_after_step)
        .member("lowest_level_loaded", each.lowest_level_loaded);
    json.key("switches").begin_array();
    for (const std::string& change : application.switches) json.value(change);
    json.end_array().end_object();
  }
  json.end_array().end_object();
  std::puts(json.text().c_str());
}

void print_summary(const ScenarioResult& result) {
  for (const ApplicationResult& application : result.applications) {
    const LiveFigures each = figures(result, application);
    std::printf(
        "%-8s budget %.1f ms: %.1f %% in time (%.1f %% under load), %d late in the first second of load, %zu "
        "changes of level\n",
        application.name.c_str(), static_cast<double>(application.budget_us) / 1000, 100 * each.attainment,
        100 * each.attainment_loaded, each.late_after_step, application.switches.size());
    for (const std::string& change : application.switches) std::printf("         %s\n", change.c_str());
  }
}

}  // namespace

int run_live(const Arguments& arguments) {
  LiveArguments live;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "--json")
      live.json = true;
    else if (word == "--table")
      live.table = true;
    else if (word == "--two")
      live.scenario.second_application = true;
    else if (word == "--own-group")
      live.scenario.own_group = true;
    else if (i + 1 >= arguments.size())
      return usage(word);
    else if (word == "--bus")
      live.bus = arguments[++i];
    else if (word == "--family")
      live.scenario.family = arguments[++i];
    else if (word == "--plot")
      live.plot = arguments[++i];
    else if (word == "--hogs")
      live.scenario.hogs = static_cast<unsigned>(std::atoi(arguments[++i].c_str()));
    else if (word == "--budget-factor")
      live.scenario.budget_factor = std::atof(arguments[++i].c_str());
    else if (word == "--least-budget-ms")
      live.scenario.least_budget_us =
          static_cast<std::uint64_t>(1000 * std::max(0.0, std::atof(arguments[++i].c_str())));
    else if (word == "--seconds")
      live.scenario.quiet_s = live.scenario.loaded_s = live.scenario.after_s =
          std::atoi(arguments[++i].c_str());
    else
      return usage(word);
  }
  try {
    auto client = client::Client::connect({.bus = live.bus});
    if (live.scenario.family.empty()) {
      const auto families = client.families();
      if (families.empty()) throw client::Error(client::ErrorCode::kNotFound, "no family is loaded");
      live.scenario.family = families.front().name;
    }
    if (live.table) live.scenario.progress = print_line;
    const ScenarioResult result = run_scenario(client, live.scenario);
    if (live.json)
      print_json(result, live.scenario);
    else
      print_summary(result);
    if (!live.plot.empty()) write_plot(live.plot, result);
    return 0;
  } catch (const client::Error& error) {
    std::fprintf(stderr, "dofa-bench live: %s\n", error.what());
    return 1;
  }
}

}  // namespace dofa::bench
