// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/live/scenario.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "tests/bench/live/hogs.hpp"

namespace dofa::bench {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kProgressUs = 250'000;

/// 0.95 quantile of the round trip at the top level, measured with the level fixed by hand.
std::int64_t quiet_p95_us(client::Client& client, const ScenarioOptions& options, std::uint32_t top) {
  Camera camera(client, "calibration", options.family, {.period_us = options.period_us, .level = top},
                monotonic_us());
  camera.start();
  std::this_thread::sleep_for(std::chrono::seconds(2));
  camera.stop();
  std::vector<std::int64_t> latencies;
  for (const CameraFrame& frame : camera.records()) latencies.push_back(frame.latency_us);
  if (latencies.empty()) throw client::Error(client::ErrorCode::kFailed, "no frame was answered");
  std::sort(latencies.begin(), latencies.end());
  return latencies[latencies.size() * 95 / 100];
}

void watch(const ScenarioOptions& options, const std::string& phase, int seconds,
           const std::vector<const Camera*>& cameras) {
  const std::int64_t end = monotonic_us() + seconds * kSecondUs;
  while (monotonic_us() < end) {
    std::this_thread::sleep_for(std::chrono::microseconds(std::min(kProgressUs, end - monotonic_us())));
    if (options.progress) options.progress(phase, cameras);
  }
}

}  // namespace

ScenarioResult run_scenario(client::Client& client, const ScenarioOptions& options) {
  ScenarioResult result;
  result.top_level = static_cast<std::uint32_t>(client.family(options.family).subnets.size()) - 1;
  result.quiet_p95_us = quiet_p95_us(client, options, result.top_level);
  const auto budget_us =
      std::max(options.least_budget_us,
               static_cast<std::uint64_t>(options.budget_factor * static_cast<double>(result.quiet_p95_us)));

  const std::int64_t origin = monotonic_us();
  std::vector<std::unique_ptr<Camera>> cameras;
  cameras.push_back(std::make_unique<Camera>(
      client, "camera", options.family,
      client::Contract{.latency_budget_us = budget_us, .period_us = options.period_us, .percentile = 0.98},
      origin));
  if (options.second_application) {
    cameras.push_back(std::make_unique<Camera>(client, "robot", options.family,
                                               client::Contract{.latency_budget_us = budget_us * 2,
                                                                .period_us = options.period_us * 3,
                                                                .objective = "latency",
                                                                .priority = 5},
                                               origin));
  }
  std::vector<const Camera*> views;
  for (const auto& camera : cameras) {
    camera->start();
    views.push_back(camera.get());
  }
  watch(options, "quiet", options.quiet_s, views);
  result.load_begin_us = monotonic_us() - origin;
  std::optional<Hogs> hogs(std::in_place, options.hogs, options.own_group);
  watch(options, "loaded", options.loaded_s, views);
  hogs.reset();
  result.load_end_us = monotonic_us() - origin;
  watch(options, "quiet again", options.after_s, views);
  result.duration_us = monotonic_us() - origin;
  for (const auto& camera : cameras) {
    camera->stop();
    auto frames = camera->records();
    std::sort(frames.begin(), frames.end(),
              [](const auto& a, const auto& b) { return a.submitted_us < b.submitted_us; });
    result.applications.push_back(
        {camera->name(), camera->budget_us(), std::move(frames), camera->switches()});
  }
  return result;
}

LiveFigures figures(const ScenarioResult& result, const ApplicationResult& application) {
  LiveFigures out;
  int in_time = 0;
  int loaded = 0;
  int loaded_in_time = 0;
  int run_length = 0;
  std::int64_t run_begin_us = 0;
  for (const CameraFrame& frame : application.frames) {
    in_time += frame.in_time;
    const std::int64_t into_load = frame.submitted_us - result.load_begin_us;
    const bool under_load = into_load >= 0 && frame.submitted_us < result.load_end_us;
    if (under_load && into_load < kSecondUs) out.late_after_step += !frame.in_time;
    if (under_load && into_load >= kSecondUs) {
      ++loaded;
      loaded_in_time += frame.in_time;
      if (frame.level >= 0 && (out.lowest_level_loaded < 0 || frame.level < out.lowest_level_loaded)) {
        out.lowest_level_loaded = frame.level;
      }
    }
    if (under_load && out.recover_down_ms < 0) {
      if (!frame.in_time) run_length = 0;
      if (frame.in_time && run_length++ == 0) run_begin_us = frame.submitted_us;
      if (run_length == 10)
        out.recover_down_ms = static_cast<double>(run_begin_us - result.load_begin_us) / 1000;
    }
    const bool after = frame.submitted_us >= result.load_end_us;
    if (after && out.recover_up_ms < 0 && frame.level == static_cast<int>(result.top_level)) {
      out.recover_up_ms = static_cast<double>(frame.submitted_us - result.load_end_us) / 1000;
    }
  }
  if (!application.frames.empty()) out.attainment = in_time / static_cast<double>(application.frames.size());
  if (loaded > 0) out.attainment_loaded = loaded_in_time / static_cast<double>(loaded);
  return out;
}

}  // namespace dofa::bench
