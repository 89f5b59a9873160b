// SPDX-License-Identifier: Apache-2.0
// The promise itself, on the real daemon with real load: other programs take the CPU, the level falls and
// deadlines are kept again; they go, and the level climbs back. Bounds are generous: the figures are
// dofa-bench live's.
#include <algorithm>
#include <iostream>

#include "tests/bench/live/scenario.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/daemon.hpp"
#include "tests/support/script_family.hpp"

using namespace dofa;
using namespace dofa::test;

namespace {

/// A colour net that first multiplies matrices `rounds` times: 0.11 GFLOP each, 0.5 to 2 ms of CPU. Ten must
/// fit well into the camera's 40 ms on the slowest machine, and be long beside a slice of the scheduler.
std::string heavy_net(int rounds) {
  return "    m = torch.ones([384, 384]) * 0.001 + x.mean() * 0.0\n    for i in range(" +
         std::to_string(rounds) +
         "):\n        m = torch.mm(m, m).clamp(0.0, 1.0)\n    s = m.sum() * 0.0\n    c = x.mean([2, 3]) + s\n"
         "    return torch.cat([c, torch.full([1, 1], 0.1)], 1)\n";
}

std::string stated(double top1) {
  return "{top1: " + std::to_string(top1) + ", top5: 1, dataset: made up, images: 1}";
}

}  // namespace

TEST_CASE("under load the level falls so that deadlines are kept, and climbs back when the load goes") {
  TemporaryDirectory home;
  write_script_family(home.path() / "heavy", "heavy",
                      {{"a", heavy_net(1), stated(0.70)},
                       {"b", heavy_net(3), stated(0.74)},
                       {"c", heavy_net(6), stated(0.77)},
                       {"d", heavy_net(10), stated(0.79)}});
  Daemon daemon("families:\n  roots: [" + home.path().string() + "]\n  profiles: " + home.path().string() +
                "/profiles\n");
  auto client = client::Client::connect({.bus = daemon.bus()});
  bench::ScenarioOptions options;
  options.family = "heavy";
  options.budget_factor = 1.4;
  options.quiet_s = 3;
  options.loaded_s = 6;
  options.after_s = 12;
  options.hogs = 4;
  const bench::ScenarioResult result = bench::run_scenario(client, options);
  const auto& camera = result.applications.front();
  const bench::LiveFigures figures = bench::figures(result, camera);
  std::cout << "budget " << camera.budget_us << " us: " << figures.late_after_step
            << " late in the first second of load, " << 100 * figures.attainment_loaded
            << " % in time after it, lowest level " << figures.lowest_level_loaded
            << ", at the top again after " << figures.recover_up_ms << " ms\n";
  REQUIRE(camera.frames.size() > 300);
  CHECK(figures.lowest_level_loaded < 3);
  CHECK(figures.attainment_loaded > 0.6);
  CHECK(figures.recover_down_ms >= 0);
  CHECK(figures.recover_up_ms >= 0);
  CHECK(std::any_of(camera.switches.begin(), camera.switches.end(),
                    [](const std::string& change) { return change.find(": ") != std::string::npos; }));
}
