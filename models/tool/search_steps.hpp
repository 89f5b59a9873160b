// SPDX-License-Identifier: Apache-2.0
// The steps of `dofa-model search`: what sub-networks cost, how accurate they are guessed to be, the front,
// and the truth about its best members. Single-threaded.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/search/evolve.hpp"
#include "models/search/latency_table.hpp"
#include "models/search/predictor.hpp"
#include "models/search/trainer.hpp"
#include "models/tool/evaluated.hpp"
#include "models/tool/measure.hpp"

namespace dofa::tool {

/// What a search minimises.
struct CostModel {
  std::optional<search::LatencyTable> table;  ///< absent: multiply-accumulates
  bool this_machine = false;                  ///< the table was measured here: the front can be, too
  std::string path;                           ///< of the table

  /// In microseconds, or multiply-accumulates.
  [[nodiscard]] Result<search::Lookup> lookup(const search::Outline& outline,
                                              const search::Space& space) const;
};

/// A sub-network of the front and what became known of it.
struct Level {
  search::Candidate candidate;
  double cost = 0;  ///< by the table, in microseconds, or multiply-accumulates
  double macs = 0;
  std::optional<double> predicted_top1;
  std::optional<NetworkTime> measured;
  std::optional<config::Accuracy> accuracy;

  /// The best that is known: measured rather than by the table, evaluated rather than predicted.
  [[nodiscard]] search::Point point() const;
};

/// --table, --macs and --processor: reads the table that is there; one of this machine is measured later.
Result<CostModel> open_cost(const Arguments& arguments, const std::string& work);
/// Measures what a table of this machine lacks.
Result<void> complete_cost(CostModel& cost, Measurer& measurer, const search::Space& space);

struct SampledFit {
  search::Fit fit;
  std::vector<search::Sample> samples;  ///< what it was fitted on
};
/// A predictor fitted on `samples` random sub-networks of the space, evaluated as the plan says.
Result<SampledFit> fit_on_samples(const SearchSource& source, const EvaluationPlan& plan,
                                  const search::Space& space, std::size_t samples);

struct SearchOutcome {
  std::vector<Level> front;
  std::uint64_t evaluations = 0;
  double seconds = 0;
};
/// Runs the search with a line of its front on a terminal. kUnsatisfiable names the nearest that was met
/// where nothing keeps the limits.
Result<SearchOutcome> search_front(const search::Outline& outline, const search::Space& space,
                                   const search::Lookup& lookup, const search::AccuracyPredictor& predictor,
                                   const search::Settings& settings, bool cost_is_time);

/// The largest sub-network, those that are as wide and shallower, and the smallest, at every resolution,
/// unless `known` has them. Training pays more attention to the largest and the smallest than to their
/// neighbours (sandwich rule), which no predictor fitted on random sub-networks can know: they are tried in
/// any case.
std::vector<Level> corner_levels(const search::Outline& outline, const search::Space& space,
                                 const search::Lookup& lookup, const search::AccuracyPredictor& predictor,
                                 const std::vector<Level>& known);

/// The samples that no other sample beats in both cost and evaluated accuracy, unless `known` has them: what
/// they reach is known, and a predictor may think less of them.
std::vector<Level> sampled_levels(const search::Outline& outline, const search::Space& space,
                                  const search::Lookup& lookup, const search::AccuracyPredictor& predictor,
                                  const std::vector<search::Sample>& samples,
                                  const std::vector<Level>& known);

/// Measures all levels in one interleaved run.
Result<void> measure_levels(Measurer& measurer, std::vector<Level*> levels, std::size_t rounds);

/// The Pareto-optimal ones by what is known best, thinned to at most `count`, by rising cost.
std::vector<Level> best_levels(const std::vector<Level>& levels, std::size_t count);

}  // namespace dofa::tool
