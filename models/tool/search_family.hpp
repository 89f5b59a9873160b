// SPDX-License-Identifier: Apache-2.0
// The family that a search starts from, to compare with, and the one that it ends in. Single-threaded.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/tool/search_steps.hpp"

namespace dofa::tool {

/// Levels of the source's family with their cost, prediction, and the accuracy that its file states; empty
/// where there is none, or where it has other resolutions than the space.
Result<std::vector<Level>> family_levels(const SearchSource& source, const CostModel& cost,
                                         const search::Space& space,
                                         const search::AccuracyPredictor& predictor);

/// Evaluates them with their own statistics on the plan's pictures; leaves none where some have no
/// statistics.
Result<void> evaluate_family(const SearchSource& source, const EvaluationPlan& plan,
                             std::vector<Level>& levels);

/// Writes family.yaml and weights, and with a plan the statistics too (taken now where they are lacking).
Result<void> write_levels(const SearchSource& source, const std::optional<EvaluationPlan>& plan,
                          const std::vector<Level>& levels, const std::string& directory);

}  // namespace dofa::tool
