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

constexpr int kQuickRounds = 5;

/// FNV-1a (Fowler, Noll, Vo): short, stable between builds, and nobody attacks a cache of our own.
std::string digest(const std::string& text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  char word[17];
  std::snprintf(word, sizeof word, "%016llx", static_cast<unsigned long long>(hash));
  return word;
}

}  // namespace

Result<Timing> measure(engine::Runner& runner, std::uint32_t level, int rounds, std::uint32_t count) {
  std::vector<std::int64_t> times;
  for (int i = 0; i < rounds; ++i) {
    const std::int64_t start = now_us();
    if (auto run = runner.run_batch(level, count); !run) return run.error();
    times.push_back(std::max<std::int64_t>(1, now_us() - start));
  }
  std::sort(times.begin(), times.end());
  return Timing{static_cast<double>(times.front()), static_cast<double>(times[times.size() / 2])};
}

Result<MeasuredLevels> quick_look(engine::Runner& runner, std::uint32_t levels) {
  MeasuredLevels found;
  for (std::uint32_t level = 0; level < levels; ++level) {
    const auto alone = measure(runner, level, kQuickRounds);
    if (!alone) return alone.error();
    found.time_us.push_back(alone->least_us);  // load can only add: the least is nearest to a quiet machine
  }
  if (runner.max_batch() < policy::kBatchSizes.front()) return found;
  for (std::uint32_t level = 0; level < levels; ++level) {
    MeasuredLevels::Batches& batches = found.batch_us.emplace_back();
    for (std::size_t i = 0; i < batches.size() && policy::kBatchSizes[i] <= runner.max_batch(); ++i) {
      const auto together = measure(runner, level, kQuickRounds, policy::kBatchSizes[i]);
      if (!together) return together.error();
      batches[i] = together->least_us;
    }
  }
  return found;
}

std::string ProfileKeeper::fingerprint_of(const engine::Family& family) const {
  std::string text = fingerprint + config::write_family(family.description());
  for (const engine::LevelInfo& level : family.levels()) text += level.executor;
  return digest(text);
}

std::string ProfileKeeper::path_of(const engine::Family& family) const {
  return (std::filesystem::path(directory) /
          (family.description().name + "@" + fingerprint_of(family) + ".yaml"))
      .string();
}

std::optional<MeasuredLevels> ProfileKeeper::find(const engine::Family& family,
                                                  const std::string& processor) const {
  if (directory.empty()) return std::nullopt;
  const auto kept = config::read_profile(path_of(family));
  if (!kept || kept->fingerprint != fingerprint_of(family)) return std::nullopt;
  const auto time_of = [&](const std::string& level, std::uint32_t batch) {
    const auto point = std::find_if(kept->points.begin(), kept->points.end(), [&](const auto& candidate) {
      return candidate.subnet == level && candidate.processor == processor && candidate.batch == batch;
    });
    return point == kept->points.end() ? 0.0 : point->latency_us;
  };
  MeasuredLevels found;
  found.provisional = false;
  bool batches = false;
  for (const engine::LevelInfo& level : family.levels()) {
    found.time_us.push_back(time_of(level.name, 1));
    if (found.time_us.back() <= 0) return std::nullopt;
    auto& together = found.batch_us.emplace_back();
    for (std::size_t i = 0; i < together.size(); ++i)
      batches |= (together[i] = time_of(level.name, policy::kBatchSizes[i])) > 0;
  }
  if (!batches) found.batch_us.clear();
  return found;
}

Result<void> ProfileKeeper::keep(const LoadedFamily& loaded) const {
  if (directory.empty()) return {};
  const engine::Family& family = *loaded.family;
  config::ProfileFile file{family.description().name, fingerprint_of(family), {}};
  for (std::uint32_t p = 0; p < loaded.processors.size(); ++p) {
    const MeasuredLevels measured = loaded.measured(p);
    if (measured.provisional) continue;
    for (std::size_t i = 0; i < measured.time_us.size(); ++i) {
      const std::string& level = family.levels()[i].name;
      file.points.push_back({level, loaded.processors[p], measured.time_us[i], 1});
      for (std::size_t k = 0; k < policy::kBatchSizes.size() && !measured.batch_us.empty(); ++k) {
        if (measured.batch_us[i][k] <= 0) continue;
        file.points.push_back({level, loaded.processors[p], measured.batch_us[i][k], policy::kBatchSizes[k]});
      }
    }
  }
  const std::string path = path_of(family);
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  std::ofstream(path + ".new") << config::write_profile(file);
  std::filesystem::rename(path + ".new", path, failed);  // whole or not at all
  if (failed) return Error{ErrorCode::kFailed, path + ": " + failed.message()};
  return {};
}

std::string machine_fingerprint(const std::string& root, std::uint32_t lanes, const std::string& version,
                                const std::vector<engine::Gpu>& gpus, const std::string& gpu_precision) {
  std::string model;
  std::ifstream cpuinfo(root + "/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    // x86 names the model, ARM the part.
    if (line.starts_with("model name") || line.starts_with("CPU part"))
      model += line.substr(line.find(':') + 1);
  }
  std::string others;
  for (const engine::Gpu& gpu : gpus) others += "|" + gpu.processor + "|" + gpu.model + "|" + gpu.driver;
  if (!gpus.empty()) others += "|" + gpu_precision;
  return digest(model + "|" + std::to_string(std::thread::hardware_concurrency()) + "|" +
                std::to_string(lanes) + "|" + version + others);
}

}  // namespace dofa::control
