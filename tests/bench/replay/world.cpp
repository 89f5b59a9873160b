// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/replay/world.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "daemon/policy/slowdown.hpp"

namespace dofa::replay {
namespace {

constexpr std::array<double, kNets> kMegaMacs = {63, 185, 566};
constexpr std::array<const char*, kNets> kNetNames = {"small", "mid", "large"};
constexpr double kLowestAccuracy = 0.70;
constexpr double kAccuracyStep = 0.01;
// Loads start and end a little beside their logged times (SUMMARY.md, 4).
constexpr std::int64_t kBeforeUs = 100'000;
constexpr std::int64_t kAfterUs = 500'000;
// The recorder ran on two cores; its sampler and its inference thread count among `runnable`.
constexpr double kRecorderCores = 2;
constexpr double kRecorderThreads = 2;

Error broken(const std::string& file, const std::string& why) {
  return {ErrorCode::kInvalidArgument, file + ": " + why};
}

/// Rows of a CSV file with a header, as column name → text.
Result<std::vector<std::map<std::string, std::string>>> read_csv(const std::string& path) {
  std::ifstream file(path);
  if (!file) return Error{ErrorCode::kNotFound, path + ": cannot be read"};
  const auto split = [](const std::string& line) {
    std::vector<std::string> cells;
    std::istringstream stream(line);
    for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
    return cells;
  };
  std::string line;
  std::getline(file, line);
  const std::vector<std::string> names = split(line);
  std::vector<std::map<std::string, std::string>> rows;
  while (std::getline(file, line)) {
    const std::vector<std::string> cells = split(line);
    if (cells.size() != names.size())
      return broken(path, "a row has " + std::to_string(cells.size()) + " cells");
    std::map<std::string, std::string>& row = rows.emplace_back();
    for (std::size_t i = 0; i < names.size(); ++i) row[names[i]] = cells[i];
  }
  return rows;
}

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto index = static_cast<std::size_t>(q * static_cast<double>(values.size()));
  return values[std::min(index, values.size() - 1)];
}

}  // namespace

Mix mix_of(std::size_t level) {
  // Levels are even steps of accuracy, and accuracy goes with the logarithm of the MACs; time goes with the
  // MACs.
  const double macs =
      kMegaMacs[0] * std::pow(kMegaMacs[2] / kMegaMacs[0], static_cast<double>(level) / (kLevels - 1));
  const std::size_t net = macs < kMegaMacs[1] ? 0 : 1;
  return {net, (macs - kMegaMacs[net]) / (kMegaMacs[net + 1] - kMegaMacs[net])};
}

double Course::latency_us(std::size_t level, std::int64_t t_us) const {
  const auto nearest = [t_us](const std::vector<Sample>& samples) {
    auto after = std::lower_bound(samples.begin(), samples.end(), t_us,
                                  [](const Sample& sample, std::int64_t t) { return sample.t_us < t; });
    if (after == samples.end()) return samples.back().latency_us;
    if (after != samples.begin() && t_us - std::prev(after)->t_us < after->t_us - t_us) --after;
    return after->latency_us;
  };
  const Mix mix = mix_of(level);
  return (1 - mix.share) * nearest(nets[mix.net]) + mix.share * nearest(nets[mix.net + 1]);
}

void profile_quiet_parts(World& world) {
  const auto quiet = [&](std::int64_t t_us) {
    return std::none_of(world.phases.begin(), world.phases.end(), [t_us](const Phase& phase) {
      return t_us >= phase.begin_us - kBeforeUs && t_us <= phase.end_us + kAfterUs;
    });
  };
  auto family = std::make_shared<policy::FamilyProfile>();
  family->accuracy_measured = true;
  family->levels.resize(kLevels);
  for (std::size_t p = 0; p < world.courses.size(); ++p) {
    std::array<std::vector<double>, kNets> quiet_us;
    for (std::size_t net = 0; net < kNets; ++net) {
      for (const Sample& sample : world.courses[p].nets[net]) {
        if (quiet(sample.t_us)) quiet_us[net].push_back(sample.latency_us);
      }
    }
    for (std::size_t level = 0; level < kLevels; ++level) {
      const Mix mix = mix_of(level);
      family->levels[level].accuracy = kLowestAccuracy + kAccuracyStep * static_cast<double>(level);
      family->levels[level].time_us[p] = (1 - mix.share) * quantile(quiet_us[mix.net], 0.5) +
                                         mix.share * quantile(quiet_us[mix.net + 1], 0.5);
    }
    if (p == 0) world.quiet_p95_us = quantile(quiet_us[kNets - 1], 0.95);
  }
  world.family = std::move(family);
}

Result<World> load_trace(const std::string& directory) {
  World world;
  const std::filesystem::path path(directory);
  world.name = (path.has_filename() ? path : path.parent_path()).filename();
  auto latencies = read_csv(path / "latency.csv");
  if (!latencies) return latencies.error();
  auto monitor = read_csv(path / "monitor.csv");
  if (!monitor) return monitor.error();
  Course& course = world.courses.emplace_back();
  course.processor = "cpu";
  try {
    for (const auto& row : *latencies) {
      const auto net = std::find(kNetNames.begin(), kNetNames.end(), row.at("net"));
      if (net == kNetNames.end()) return broken(directory, "unknown net '" + row.at("net") + "'");
      course.nets[static_cast<std::size_t>(net - kNetNames.begin())].push_back(
          {std::stoll(row.at("t_us")), std::stod(row.at("latency_us"))});
    }
    for (const auto& row : *monitor) {
      policy::CpuPressure pressure;
      pressure.runnable_others = std::stod(row.at("runnable")) - kRecorderThreads;
      pressure.cores = kRecorderCores;
      pressure.own_cpu_us = std::stod(row.at("own_cpu_us"));
      pressure.own_wait_us = std::stod(row.at("infer_runq_wait_us"));
      world.readings.push_back({std::stoll(row.at("t_us")), 0, policy::expected_cpu_slowdown(pressure)});
    }
    const YAML::Node scenario = YAML::LoadFile(path / "scenario.json");  // JSON is YAML
    world.duration_us = scenario["duration_us"].as<std::int64_t>();
    for (const YAML::Node& phase : scenario["phases"]) {
      world.phases.push_back({phase["t0_us"].as<std::int64_t>(), phase["t1_us"].as<std::int64_t>(),
                              phase["load"].as<std::string>()});
    }
  } catch (const std::exception& error) {
    return broken(directory, error.what());
  }
  for (std::size_t net = 0; net < kNets; ++net) {
    if (course.nets[net].empty())
      return broken(directory, std::string("no inference of net ") + kNetNames[net]);
  }
  profile_quiet_parts(world);
  if (world.quiet_p95_us <= 0) return broken(directory, "no quiet part to profile");
  return world;
}

}  // namespace dofa::replay
