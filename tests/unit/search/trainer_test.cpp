// SPDX-License-Identifier: Apache-2.0
#include "models/search/trainer.hpp"

#include "models/search/nsga2.hpp"
#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::search;

namespace {

const Space kSpace = published_space({24, 28, 32});
const Encoding kEncoding{kSpace.kernels, kSpace.ratios, kSpace.resolutions, 0};

/// More of everything is better, with less and less to gain; blocks of the third stage count double.
double made_up_top1(const Genome& genome) {
  double size = 2.0 * genome[kResolution];
  for (std::size_t stage = 0; stage < 5; ++stage)
    for (std::size_t i = 0; i < kSpace.depth(genome, stage); ++i)
      size += (stage == 2 ? 2 : 1) *
              (0.5 + 0.2 * genome[stage * 4 + i] + 0.5 * genome[kFirstRatio + stage * 4 + i]);
  return 0.9 - 2.0 / (5 + size);
}

std::vector<Sample> samples(std::size_t count, std::uint64_t seed) {
  Dice dice(seed);
  std::vector<Sample> list;
  for (std::size_t i = 0; i < count; ++i) {
    const Genome genome = canonical(kSpace, random_genome(kSpace, dice));
    list.push_back({candidate_of(kSpace, genome), made_up_top1(genome)});
  }
  return list;
}

}  // namespace

TEST_CASE("Kendall's tau counts pairs in the same order") {
  const std::vector<double> rising{1, 2, 3, 4}, other{1, 3, 2, 4};
  CHECK(kendall_tau(rising, rising) == 1);
  CHECK(kendall_tau(rising, std::vector<double>{4, 3, 2, 1}) == -1);
  CHECK(kendall_tau(rising, other) == Approx(4.0 / 6));
}

TEST_CASE("a fitted predictor orders sub-networks it never saw") {
  const auto fit = fit_predictor(kEncoding, samples(150, 1));
  REQUIRE(fit);
  CHECK(fit->held_out == 30);
  CHECK(fit->kendall_tau > 0.7);
  const auto predictor = AccuracyPredictor::make(fit->tensors);
  REQUIRE(predictor);
  CHECK(predictor->encoding() == kEncoding);
  CHECK(predictor->covers(kSpace).ok());
  std::vector<double> guessed, true_top1;
  double error = 0, spread = 0, mean = 0;
  const std::vector<Sample> others = samples(200, 2);
  for (const Sample& sample : others) mean += sample.top1 / 200;
  for (const Sample& sample : others) {
    guessed.push_back(*predictor->predict(sample.candidate));
    true_top1.push_back(sample.top1);
    error += std::abs(guessed.back() - sample.top1) / 200;
    spread += std::abs(sample.top1 - mean) / 200;
  }
  CHECK(kendall_tau(guessed, true_top1) > 0.78);         // ridge regression, tuned, gets 0.85
  CHECK(error < 0.35 * spread);                          // against guessing the mean
  CHECK(error == Approx(fit->mean_error).epsilon(0.6));  // the fifth held out tells the truth
}

TEST_CASE("too few samples, or such as have no input, are refused") {
  CHECK(fit_predictor(kEncoding, samples(9, 1)).error().code == ErrorCode::kInvalidArgument);
  std::vector<Sample> foreign = samples(20, 1);
  foreign[5].candidate.resolution = 48;
  CHECK(fit_predictor(kEncoding, foreign).error().message == "resolution 48 has no input");
}
