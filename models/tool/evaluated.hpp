// SPDX-License-Identifier: Apache-2.0
// Sub-networks calibrated and evaluated, and the log that keeps what was found out, so that minutes of work
// are never done twice. Single-threaded.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/search/space.hpp"
#include "models/tool/pictures.hpp"
#include "models/tool/search_source.hpp"

namespace dofa::tool {

struct Evaluated {
  search::Candidate candidate;
  config::Accuracy accuracy;
  std::uint32_t calibrated_with = 0;  ///< pictures
};

/// Reads a log (YAML: schema, subnets[].{r, ks, e, d, top1, top5, dataset, images, calibrated_with}); an
/// empty one where the file is not there. kInvalidArgument says where what is wrong.
Result<std::vector<Evaluated>> read_evaluated(const std::string& path);
Result<void> write_evaluated(std::span<const Evaluated> log, const std::string& path);

/// Where pictures come from and where results are kept.
struct EvaluationPlan {
  std::shared_ptr<Pictures> calibration;
  std::shared_ptr<Pictures> labelled;
  std::string dataset;
  std::string folder;  ///< for the log and the statistics
};

/// --calibrate and --data of a verb; kNotFound or a usage error where they are missing. `work` is made.
Result<EvaluationPlan> open_evaluation(const Arguments& arguments, const SearchSource& source,
                                       const std::string& work);

/// A name that only this sub-network has.
std::string candidate_name(const search::Candidate& candidate);
/// The file of its statistics in the plan's folder; another one for another number of pictures.
std::string statistics_file(const EvaluationPlan& plan, const search::Candidate& candidate);

/// Calibrates and evaluates the candidates, a few together, and gives their accuracies in the same order.
/// Those the log holds for the same pictures, with their statistics at hand, are taken from it; the log is
/// written after each few.
Result<std::vector<config::Accuracy>> evaluate_candidates(const SearchSource& source,
                                                          const EvaluationPlan& plan,
                                                          std::span<const search::Candidate> candidates);

/// Calibrates those whose statistics are not in the folder yet.
Result<void> calibrate_candidates(const SearchSource& source, const EvaluationPlan& plan,
                                  std::span<const search::Candidate> candidates);

/// Makes `folder` hold the supernet of the source, under the name that family.yaml uses.
Result<void> place_weights(const SearchSource& source, config::FamilyFile& file, const std::string& folder);

}  // namespace dofa::tool
