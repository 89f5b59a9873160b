// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/profiler.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "daemon/config/profile.hpp"
#include "daemon/control/clock.hpp"

namespace dofa::control {
namespace {

/// FNV-1a (Fowler, Noll, Vo): short, stable between builds, and nobody attacks a cache of our own.
std::string digest(const std::string& text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  char word[17];
  std::snprintf(word, sizeof word, "%016llx", static_cast<unsigned long long>(hash));
  return word;
}

}  // namespace

Result<Timing> measure(engine::Runner& runner, std::uint32_t level, int rounds) {
  std::vector<std::int64_t> times;
  for (int i = 0; i < rounds; ++i) {
    const std::int64_t start = now_us();
    if (auto run = runner.run(level); !run) return run.error();
    times.push_back(std::max<std::int64_t>(1, now_us() - start));
  }
  std::sort(times.begin(), times.end());
  return Timing{static_cast<double>(times.front()), static_cast<double>(times[times.size() / 2])};
}

policy::FamilyProfile make_profile(const engine::Family& family, const std::vector<double>& latency_us) {
  policy::FamilyProfile profile;
  profile.accuracy_measured = true;
  for (std::size_t i = 0; i < latency_us.size(); ++i) {
    policy::LevelProfile level;
    const auto& accuracy = family.levels()[i].accuracy;
    profile.accuracy_measured &= accuracy.has_value();
    level.accuracy = accuracy ? accuracy->top1 : 0.0;
    level.time_us[0] = latency_us[i];
    profile.levels.push_back(level);
  }
  return profile;
}

std::string ProfileKeeper::fingerprint_of(const engine::Family& family) const {
  std::string text = fingerprint + config::write_family(family.description());
  for (const engine::LevelInfo& level : family.levels()) text += level.executor;
  return digest(text);
}

std::string ProfileKeeper::path_of(const engine::Family& family) const {
  return (std::filesystem::path(directory) / (family.description().name + "@" + fingerprint_of(family) + ".yaml")).string();
}

std::optional<std::vector<double>> ProfileKeeper::find(const engine::Family& family) const {
  if (directory.empty()) return std::nullopt;
  const auto kept = config::read_profile(path_of(family));
  if (!kept || kept->fingerprint != fingerprint_of(family)) return std::nullopt;
  std::vector<double> latency_us;
  for (const engine::LevelInfo& level : family.levels()) {
    const auto point = std::find_if(kept->points.begin(), kept->points.end(), [&](const auto& candidate) {
      return candidate.subnet == level.name && candidate.processor == "cpu" && candidate.latency_us > 0;
    });
    if (point == kept->points.end()) return std::nullopt;
    latency_us.push_back(point->latency_us);
  }
  return latency_us;
}

Result<void> ProfileKeeper::keep(const engine::Family& family, const std::vector<double>& latency_us) const {
  if (directory.empty()) return {};
  config::ProfileFile file{family.description().name, fingerprint_of(family), {}};
  for (std::size_t i = 0; i < latency_us.size(); ++i) file.points.push_back({family.levels()[i].name, "cpu", latency_us[i]});
  const std::string path = path_of(family);
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  std::ofstream(path + ".new") << config::write_profile(file);
  std::filesystem::rename(path + ".new", path, failed);  // whole or not at all
  if (failed) return Error{ErrorCode::kFailed, path + ": " + failed.message()};
  return {};
}

std::string machine_fingerprint(const std::string& root, std::uint32_t lanes, const std::string& version) {
  std::string model;
  std::ifstream cpuinfo(root + "/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    // x86 names the model, ARM the part.
    if (line.starts_with("model name") || line.starts_with("CPU part")) model += line.substr(line.find(':') + 1);
  }
  return digest(model + "|" + std::to_string(std::thread::hardware_concurrency()) + "|" + std::to_string(lanes) + "|" + version);
}

}  // namespace dofa::control
