// SPDX-License-Identifier: Apache-2.0
#include "models/tool/build_table.hpp"

#include <algorithm>
#include <filesystem>

#include "models/tool/progress.hpp"

namespace dofa::tool {
namespace {

Result<search::LatencyTable> start_table(const std::string& path) {
  search::LatencyTable fresh{machine_name(), "cpu", 1, {}, {}};
  if (!std::filesystem::exists(path)) return fresh;
  auto table = search::read_latency_table(path);
  if (!table) return table.error();
  if (table->machine != fresh.machine || table->processor != fresh.processor ||
      table->threads != fresh.threads)
    return Error{ErrorCode::kAlreadyExists,
                 path + ": is the table of another machine (" + table->machine + "); name another file"};
  return table;
}

search::Space at_resolution(const search::Space& space, std::uint32_t resolution) {
  return {space.kernels, space.ratios, space.depths, {resolution}};
}

double block_count(const search::Candidate& candidate) {
  double blocks = 0;
  for (const std::uint8_t depth : candidate.architecture.depths) blocks += depth;
  return blocks;
}

/// Fits the correction on half of some random networks and judges it by the others.
Result<std::vector<UnseenNetwork>> correct(Measurer& measurer, const search::Space& space,
                                           const TableSettings& settings, search::LatencyTable& table) {
  const std::vector<search::Candidate> candidates =
      search::random_networks(space, 2 * settings.networks, settings.seed);
  Progress progress("measuring sub-networks: round", settings.rounds);
  const auto times = measurer.networks(candidates, settings.rounds, [&] { progress.step(); });
  if (!times) return times.error();
  table.correction.reset();
  const auto lookup = search::latency_lookup(search::outline_of(measurer.supernet()), space, table);
  if (!lookup) return lookup.error();
  std::vector<search::MeasuredNetwork> fitted, unseen;
  std::vector<UnseenNetwork> report;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto genome = search::genome_of(space, candidates[i]);
    if (!genome) return genome.error();
    const search::MeasuredNetwork network{lookup->cost(*genome), block_count(candidates[i]),
                                          (*times)[i].least_us};
    (i % 2 == 0 ? fitted : unseen).push_back(network);
    if (i % 2 == 1) report.push_back({candidates[i], 0, network.measured_us});
  }
  search::Correction correction = search::fit_correction(fitted);
  correction.unseen_error = search::mean_error(correction, unseen);
  for (std::size_t i = 0; i < unseen.size(); ++i)
    report[i].predicted_us = corrected_us(correction, unseen[i]);
  table.correction = correction;
  return report;
}

}  // namespace

Result<BuiltTable> build_table(Measurer& measurer, const search::Space& space, const std::string& path,
                               const TableSettings& settings) {
  auto table = start_table(path);
  if (!table) return table.error();
  BuiltTable built{std::move(*table), {}, {}};
  const search::Outline outline = search::outline_of(measurer.supernet());
  for (const std::uint32_t resolution : space.resolutions) {
    const search::Space part = at_resolution(space, resolution);
    const auto there = search::latency_lookup(outline, part, built.table);
    if (there) continue;
    if (built.table.layers.contains(resolution))
      return Error{ErrorCode::kAlreadyExists, path + ": " + there.error().message + "; name another file"};
    Progress progress("measuring layers at " + std::to_string(resolution) + " pixels: round",
                      settings.rounds);
    auto layers = measurer.layers(part, resolution, settings.rounds, [&] { progress.step(); });
    if (!layers) return layers.error();
    built.table.layers.emplace(resolution, std::move(*layers));
    built.table.correction.reset();  // it was another table's
    built.measured.push_back(resolution);
    if (const auto saved = search::save_latency_table(built.table, path); !saved) return saved.error();
  }
  if (built.table.correction) return built;
  auto unseen = correct(measurer, space, settings, built.table);
  if (!unseen) return unseen.error();
  built.unseen = std::move(*unseen);
  if (const auto saved = search::save_latency_table(built.table, path); !saved) return saved.error();
  return built;
}

}  // namespace dofa::tool
