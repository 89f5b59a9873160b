// SPDX-License-Identifier: Apache-2.0
// The sub-networks that a search tries in any case.
#include "models/tool/search_steps.hpp"

#include <algorithm>

#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::tool;

namespace {

/// Answers `weight` for each of the 128 inputs that is set, so that every sub-network with all its blocks
/// gets more than one without.
search::AccuracyPredictor counting_predictor(float weight) {
  engine::FloatTensors tensors;
  tensors["0.weight"] = {{1, 128}, std::vector<float>(128, weight)};
  tensors["0.bias"] = {{1}, {0}};
  tensors["2.weight"] = {{1, 1}, {1}};
  tensors["2.bias"] = {{1}, {0}};
  auto made = search::AccuracyPredictor::make(tensors);
  REQUIRE(made.ok());
  return std::move(*made);
}

config::OfaArchitecture uniform(std::uint8_t kernel, std::uint8_t ratio, std::uint8_t depth) {
  config::OfaArchitecture architecture;
  architecture.kernel_sizes.fill(kernel);
  architecture.expand_ratios.fill(ratio);
  architecture.depths.fill(depth);
  return architecture;
}

/// Entries of absent blocks do not count.
bool has(const search::Space& space, const std::vector<Level>& levels, const search::Candidate& wanted) {
  const auto genome = search::genome_of(space, wanted);
  REQUIRE(genome.ok());
  return std::ranges::any_of(
      levels, [&](const Level& level) { return level.candidate == search::candidate_of(space, *genome); });
}

}  // namespace

TEST_CASE("a search tries the smallest, the largest and as wide but shallower ones at every resolution") {
  const search::Space space = search::published_space({160, 224});
  const search::Outline outline = search::published_outline(1.0);
  const search::Lookup macs = search::Lookup::macs(outline, space);
  const auto predictor = counting_predictor(0.01F);
  const std::vector<Level> all = corner_levels(outline, space, macs, predictor, {});
  CHECK(all.size() == 2 * 4);
  for (const std::uint32_t resolution : {160U, 224U}) {
    CHECK(has(space, all, {uniform(3, 3, 2), resolution}));
    for (const std::uint8_t depth : {2, 3, 4}) CHECK(has(space, all, {uniform(7, 6, depth), resolution}));
  }
  for (const Level& level : all) {
    CHECK(level.cost == level.macs);
    // A one for each block's kernel and ratio, and one for the resolution.
    std::size_t blocks = 0;
    for (const std::uint8_t depth : level.candidate.architecture.depths) blocks += depth;
    CHECK(level.predicted_top1.value() == Approx(0.01 * (2.0 * static_cast<double>(blocks) + 1)));
  }

  const std::vector<Level> rest = corner_levels(outline, space, macs, predictor, {all[1], all[6]});
  CHECK(rest.size() == all.size() - 2);
  CHECK_FALSE(has(space, rest, all[1].candidate));
  CHECK_FALSE(has(space, rest, all[6].candidate));
}

TEST_CASE("a search tries the best of the samples that its predictor was fitted on") {
  const search::Space space = search::published_space({160, 224});
  const search::Outline outline = search::published_outline(1.0);
  const search::Lookup macs = search::Lookup::macs(outline, space);
  const auto predictor = counting_predictor(0.01F);
  const search::Candidate small{uniform(3, 3, 2), 160}, middle{uniform(5, 4, 3), 160},
      large{uniform(7, 6, 4), 160};
  const search::Candidate elsewhere{uniform(3, 3, 2), 128};  // the space has no such resolution
  const std::vector<search::Sample> samples{{large, 0.7}, {middle, 0.72}, {small, 0.5}, {elsewhere, 0.9}};
  const std::vector<Level> best = sampled_levels(outline, space, macs, predictor, samples, {});
  CHECK(best.size() == 2);
  CHECK(has(space, best, small));
  CHECK(has(space, best, middle));
  CHECK_FALSE(has(space, best, large));  // the middle one costs less and reached more, whatever is predicted
  for (const Level& level : best) CHECK_FALSE(level.accuracy);  // the log of evaluations has it

  const std::vector<Level> rest = sampled_levels(outline, space, macs, predictor, samples, {best[0]});
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].candidate == best[1].candidate);
}

TEST_CASE("the best levels are the Pareto-optimal ones by what is known best") {
  const auto level = [](double cost, double predicted, std::optional<double> evaluated) {
    Level made{{uniform(3, 3, 2), 160}, cost, cost, predicted, {}, {}};
    if (evaluated) made.accuracy = config::Accuracy{*evaluated, *evaluated, "held out", 10};
    return made;
  };
  const std::vector<Level> levels{level(3, 0.7, {}), level(1, 0.5, {}), level(2, 0.9, 0.4),
                                  level(4, 0.1, 0.8)};
  const std::vector<Level> best = best_levels(levels, 6);
  REQUIRE(best.size() == 3);  // the one promised 0.9 has 0.4, less than a cheaper one
  CHECK(best[0].cost == 1);
  CHECK(best[1].cost == 3);
  CHECK(best[2].cost == 4);
  CHECK(best_levels(levels, 2).size() == 2);
}
