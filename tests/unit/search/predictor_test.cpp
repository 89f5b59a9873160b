// SPDX-License-Identifier: Apache-2.0
// The accuracy predictor against numbers worked out outside of this project, and against damaged files.
#include "models/search/predictor.hpp"

#include <cmath>
#include <limits>

#include "daemon/engine/checkpoint/checkpoint.hpp"
#include "models/search/nsga2.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ofa/files.hpp"

using namespace dofa;
using namespace dofa::search;

namespace {

/// 128 inputs, 3 and 2 hidden units, one output.
engine::FloatTensors small_predictor() {
  Dice dice(2);
  engine::FloatTensors tensors;
  const auto add = [&](const std::string& name, std::vector<std::int64_t> shape) {
    checkpoint::FloatTensor& tensor = tensors[name];
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    tensor.shape = std::move(shape);
    for (std::int64_t i = 0; i < count; ++i)
      tensor.values.push_back((static_cast<float>(dice.roll(1000)) - 500) / 500);
  };
  add("0.weight", {3, 128});
  add("0.bias", {3});
  add("2.weight", {2, 3});
  add("2.bias", {2});
  add("4.weight", {1, 2});
  add("4.bias", {1});
  return tensors;
}

/// The network written out in double, fed with ones().
double naive(const engine::FloatTensors& tensors, const Encoding& encoding, const Candidate& candidate) {
  std::vector<double> x(encoding.inputs(), 0.0);
  const std::vector<std::uint32_t> ones = *encoding.ones(candidate);
  for (const std::uint32_t i : ones) x[i] = 1;
  for (int layer = 0; layer < 5; layer += 2) {
    const auto& weight = tensors.at(std::to_string(layer) + ".weight");
    const auto& bias = tensors.at(std::to_string(layer) + ".bias");
    std::vector<double> y;
    for (std::size_t row = 0; row < bias.values.size(); ++row) {
      double sum = bias.values[row];
      for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * weight.values[row * x.size() + i];
      y.push_back(layer < 4 ? std::max(sum, 0.0) : sum);
    }
    x = y;
  }
  return x[0];
}

std::string error_of(const engine::FloatTensors& tensors) {
  const auto predictor = AccuracyPredictor::make(tensors);
  return predictor ? "no error" : predictor.error().message;
}

}  // namespace

TEST_CASE("one-hot inputs lie where Once-for-all puts them") {
  Candidate candidate;
  candidate.architecture.kernel_sizes.fill(3);
  candidate.architecture.expand_ratios.fill(3);
  candidate.architecture.depths.fill(2);
  candidate.resolution = 160;
  candidate.architecture.kernel_sizes[1] = 7;
  candidate.architecture.expand_ratios[4] = 6;
  candidate.architecture.kernel_sizes[3] = 5;  // absent: the first stage has two blocks
  const auto ones = Encoding{}.ones(candidate);
  REQUIRE(ones);
  CHECK(*ones == std::vector<std::uint32_t>{0,  5,  12, 15, 24, 27, 36, 39, 48,  51,   // kernels
                                            60, 63, 74, 75, 84, 87, 96, 99, 108, 111,  // ratios
                                            123});                                     // (160 - 112) / 16
  candidate.resolution = 161;
  CHECK(Encoding{}.ones(candidate).error().message == "resolution 161 has no input");
}

TEST_CASE("predictions are the network's, in batches of any size") {
  engine::FloatTensors tensors = small_predictor();
  Encoding encoding;
  SECTION("with the published encoding") {}
  SECTION("with one of its own") {
    encoding = {{3, 5}, {3, 4, 6}, {24, 28, 32}, 0};
    checkpoint::FloatTensor& first = tensors["0.weight"];
    first.shape[1] = static_cast<std::int64_t>(encoding.inputs());  // 103, fewer than there were
    first.values.resize(3 * encoding.inputs());
    store_encoding(encoding, tensors);
  }
  const auto predictor = AccuracyPredictor::make(tensors);
  REQUIRE(predictor);
  CHECK(predictor->encoding() == encoding);
  // A space with fewer choices than the predictor knows, in other places.
  const Space space{{5},
                    {4, 6},
                    {2, 3, 4},
                    {encoding.resolutions[encoding.resolutions.size() - 2], encoding.resolutions.back()}};
  REQUIRE(predictor->covers(space));
  Dice dice(6);
  std::vector<Genome> genomes(1234);
  for (Genome& genome : genomes) genome = random_genome(space, dice);
  std::vector<double> top1(genomes.size());
  predictor->predict(space, genomes, top1);
  for (std::size_t i = 0; i < genomes.size(); ++i)
    CHECK(top1[i] == Approx(naive(tensors, encoding, candidate_of(space, genomes[i]))).margin(1e-5));
}

TEST_CASE("a space beyond the predictor is refused by name") {
  const auto predictor = AccuracyPredictor::make(small_predictor());
  REQUIRE(predictor);
  CHECK(predictor->covers(published_space({160, 224})).ok());
  CHECK(predictor->covers(published_space({144, 160})).error().message ==
        "the accuracy predictor does not know resolution 144");
  CHECK(predictor->covers(published_space({160, 212})).error().message ==
        "the accuracy predictor does not know resolution 212");
  CHECK(predictor->covers({{3, 9}, {3}, {2}, {160}}).error().code == ErrorCode::kNotSupported);
}

TEST_CASE("files that are no predictor are refused") {
  engine::FloatTensors tensors = small_predictor();
  SECTION("nothing in it") {
    tensors.clear();
  }
  SECTION("a bias is missing") {
    tensors.erase("2.bias");
  }
  SECTION("other inputs") {
    tensors["0.weight"].shape = {128, 3};
  }
  SECTION("layers that do not fit each other") {
    tensors["2.weight"].shape = {3, 2};
  }
  SECTION("two outputs") {
    tensors.erase("4.weight"), tensors.erase("4.bias");
  }
  SECTION("one layer alone") {
    for (const char* name : {"2.weight", "2.bias", "4.weight", "4.bias"}) tensors.erase(name);
  }
  SECTION("not a number") {
    tensors["2.weight"].values[1] = std::numeric_limits<float>::quiet_NaN();
  }
  SECTION("infinity in a bias") {
    tensors["4.bias"].values[0] = std::numeric_limits<float>::infinity();
  }
  SECTION("tensors of something else") {
    tensors["features.0.weight"] = {{1}, {1.0F}};
  }
  SECTION("choices that fall") {
    tensors["encoding.kernels"] = {{3}, {7, 5, 3}};
  }
  SECTION("choices that are no integers") {
    tensors["encoding.resolutions"] = {{2}, {100.5, 200}};
  }
  SECTION("no choices") {
    tensors["encoding.ratios"] = {{0}, {}};
  }
  const auto predictor = AccuracyPredictor::make(tensors);
  REQUIRE(!predictor);
  CHECK(predictor.error().code == ErrorCode::kInvalidArgument);
  CHECK(!error_of(tensors).empty());
}

TEST_CASE("a predictor's file that is not there is not found") {
  CHECK(AccuracyPredictor::read("/nonexistent/predictor.pt").error().code == ErrorCode::kNotFound);
}

TEST_CASE("the published predictor says what numpy works out of its weights") {
  const std::string path = engine::test::shared_path("reference/paper/accuracy_predictor.pt");
  if (path.empty()) return;
  const auto predictor = AccuracyPredictor::read(path);
  if (!predictor) FAIL(predictor.error().message);
  struct Known {
    Candidate candidate;
    double top1;
  };
  // numpy 2, float32, over the raw storages, with the encoding of once-for-all's tutorial.
  const std::vector<Known> known{{{{{7, 7, 3, 7, 5, 5, 5, 3, 7, 3, 3, 5, 5, 5, 3, 3, 3, 3, 3, 7},
                                    {3, 4, 6, 3, 3, 4, 3, 6, 3, 6, 6, 6, 3, 4, 4, 4, 4, 6, 4, 3},
                                    {4, 3, 4, 2, 3}},
                                   224},
                                  0.809046686},
                                 {{{{3, 3, 5, 7, 3, 7, 5, 3, 5, 7, 7, 7, 3, 3, 7, 7, 7, 3, 3, 5},
                                    {4, 4, 6, 3, 4, 3, 3, 6, 3, 3, 3, 3, 3, 6, 4, 4, 3, 6, 6, 3},
                                    {2, 2, 2, 4, 3}},
                                   144},
                                  -1},  // never trained at this size: refused
                                 {{{{3, 5, 7, 3, 7, 3, 3, 7, 7, 3, 7, 7, 5, 5, 7, 7, 7, 5, 3, 7},
                                    {3, 4, 6, 3, 3, 6, 3, 6, 6, 6, 4, 4, 6, 3, 4, 4, 4, 3, 3, 6},
                                    {4, 3, 4, 3, 2}},
                                   160},
                                  0.781718135},
                                 {{{{3, 3, 3, 5, 3, 7, 7, 5, 3, 7, 3, 5, 3, 7, 7, 7, 5, 7, 5, 7},
                                    {3, 3, 4, 6, 4, 6, 6, 4, 4, 4, 4, 4, 4, 6, 6, 3, 4, 4, 3, 3},
                                    {4, 3, 3, 3, 3}},
                                   224},
                                  0.818851829}};
  for (const Known& expected : known) {
    const auto top1 = predictor->predict(expected.candidate);
    REQUIRE(top1.ok() == (expected.top1 > 0));
    if (top1) CHECK(*top1 == Approx(expected.top1).margin(2e-6));
  }
}
