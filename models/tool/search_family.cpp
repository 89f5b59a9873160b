// SPDX-License-Identifier: Apache-2.0
#include "models/tool/search_family.hpp"

#include <algorithm>
#include <filesystem>

#include "daemon/engine/family.hpp"
#include "models/tool/evaluating.hpp"

namespace dofa::tool {

namespace fs = std::filesystem;

/// The family's own levels, with the accuracy that its file states.
Result<std::vector<Level>> family_levels(const SearchSource& source, const CostModel& cost,
                                         const search::Space& space,
                                         const search::AccuracyPredictor& predictor) {
  std::vector<Level> levels;
  if (!source.family) return levels;
  const auto lookup = cost.lookup(source.outline, space);
  if (!lookup) return lookup.error();
  const search::Lookup macs = search::Lookup::macs(source.outline, space);
  for (const config::SubnetEntry& entry : source.family->file.subnets) {
    const search::Candidate candidate{entry.architecture, entry.resolution};
    const auto genome = search::genome_of(space, candidate);
    if (!genome) return std::vector<Level>();  // not comparable: other resolutions were asked for
    const auto top1 = predictor.predict(candidate);
    levels.push_back({candidate,
                      lookup->cost(*genome),
                      macs.cost(*genome),
                      top1 ? std::optional(*top1) : std::nullopt,
                      {},
                      entry.accuracy});
  }
  return levels;
}

/// With its own statistics, on the same pictures as the others.
Result<void> evaluate_family(const SearchSource& source, const EvaluationPlan& plan,
                             std::vector<Level>& levels) {
  const config::FamilyFile& file = source.family->file;
  const auto calibrated = [](const config::SubnetEntry& entry) { return !entry.statistics.empty(); };
  if (!std::ranges::all_of(file.subnets, calibrated)) {
    levels.clear();
    return {};
  }
  const auto family = engine::load_family(source.family->directory, file);
  if (!family) return family.error();
  const auto hits = evaluate(*family, *plan.labelled, "evaluating the family's levels: picture");
  if (!hits) return hits.error();
  const auto images = static_cast<std::uint32_t>(plan.labelled->size());
  for (std::size_t i = 0; i < levels.size(); ++i)
    levels[i].accuracy =
        config::Accuracy{static_cast<double>((*hits)[i].top1) / images,
                         static_cast<double>((*hits)[i].top5) / images, plan.dataset, images};
  return {};
}

/// Writes family.yaml, weights and statistics.
Result<void> write_levels(const SearchSource& source, const std::optional<EvaluationPlan>& plan,
                          const std::vector<Level>& levels, const std::string& directory) {
  FamilyFolder folder{directory, source.file};
  folder.file.name = fs::path(directory).filename().string();
  fs::create_directories(directory);
  if (const auto placed = place_weights(source, folder.file, directory); !placed) return placed.error();
  if (plan) {
    std::vector<search::Candidate> chosen;
    for (const Level& level : levels) chosen.push_back(level.candidate);
    if (const auto done = calibrate_candidates(source, *plan, chosen); !done) return done.error();
  }
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const search::Candidate& candidate = levels[i].candidate;
    config::SubnetEntry entry{"level-" + std::to_string(i), candidate.resolution,
                              levels[i].accuracy,           {},
                              candidate.architecture,       {}};
    if (plan) {
      entry.statistics = entry.name + ".bn.pt";
      std::error_code error;
      fs::copy_file(plan->folder + "/" + statistics_file(*plan, candidate), folder.path(entry.statistics),
                    fs::copy_options::overwrite_existing, error);
      if (error)
        return Error{ErrorCode::kFailed,
                     folder.path(entry.statistics) + ": cannot be written: " + error.message()};
    }
    folder.file.subnets.push_back(std::move(entry));
  }
  return save_family(folder);
}

}  // namespace dofa::tool
