// SPDX-License-Identifier: Apache-2.0
// Sub-networks through the CPU kernels against a naive network that shares no code with them.
#include "daemon/engine/elastic.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "daemon/engine/kernels/run.hpp"
#include "daemon/engine/kernels/simd.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ofa/sample.hpp"

namespace dofa::engine {
namespace {
using test::floats;
using test::Maps;
using test::relative_difference;
using test::Sample;

}  // namespace

TEST_CASE("every level answers what a naive network does, in any order, on every SIMD target") {
  const unsigned seed = GENERATE(range(0U, 6U));
  INFO("seed " << seed);
  const std::vector<std::uint32_t> sides = {32, 27, 48};
  const Sample sample(seed, sides);
  const auto backend = make_elastic_backend(sample.model);
  REQUIRE(backend.ok());
  const auto executor = (*backend)->make_executor();
  REQUIRE(executor.ok());
  REQUIRE(kernels::cap_simd_target(""));
  for (const std::string& target : kernels::simd_targets()) {
    INFO(target);
    REQUIRE(kernels::cap_simd_target(target));
    for (const std::size_t level : {2, 0, 1, 0}) {
      const Maps image = test::random_images(1, static_cast<int>(sides[level]), seed);
      const auto input = (*executor)->input(static_cast<std::uint32_t>(level));
      REQUIRE(input.size() == image.values.size());
      std::ranges::copy(floats(image), input.begin());
      const auto logits = (*executor)->run(static_cast<std::uint32_t>(level));
      REQUIRE(logits.ok());
      CHECK(relative_difference(*logits, sample.expected(level, image)) < 1e-5);
    }
  }
  REQUIRE(kernels::cap_simd_target(""));
}

TEST_CASE("a head in half precision differs, and by less than a thousandth") {
  const Sample sample(3, {40});
  const auto model = ElasticModel::make(*sample.model, kernels::Precision::kHalf);
  REQUIRE(model.ok());
  kernels::Arena arena(model->arena());
  const Maps image = test::random_images(1, 40, 9);
  const auto logits = kernels::run(model->plans()[0], arena, floats(image));
  REQUIRE(logits.ok());
  const double difference = relative_difference(*logits, sample.expected(0, image));
  CHECK(difference < 1e-3);
  CHECK(difference > 1e-7);
}

TEST_CASE("levels share their weights: many cost little more than the union of what they use") {
  std::vector<std::uint32_t> sides(12, 32);
  const Sample many(5, sides);
  const auto all = ElasticModel::make(*many.model);
  REQUIRE(all.ok());
  std::size_t plans = 0;
  for (const kernels::Plan& plan : all->plans()) plans += plan.bytes();
  const Sample one(5, {32});
  const auto alone = ElasticModel::make(*one.model);
  REQUIRE(alone.ok());
  CHECK(all->plans().size() == 12);
  CHECK(all->bytes() - plans <= alone->bytes() * 3 / 2);
}

TEST_CASE("what the kernels can't run is not supported, so that the reference executor takes it") {
  SECTION("a huge resolution, and the level is named") {
    const Sample sample(1, {32, 1025});
    const auto refused = make_elastic_backend(sample.model);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kNotSupported);
  }
  SECTION("odd channel counts") {
    const Sample sample(2, {32});
    Supernet& net = sample.model->supernet;
    net.final_channels -= 1;
    sample.model->levels[0].subnet.final_expand.mean.pop_back();
    sample.model->levels[0].subnet.final_expand.variance.pop_back();
    net.final_weight.resize(net.final_weight.size() / (net.final_channels + 1) * net.final_channels);
    net.feature_weight.resize(static_cast<std::size_t>(net.feature_channels) * net.final_channels);
    const auto refused = make_elastic_backend(sample.model);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kNotSupported);
    CHECK(refused.error().message.find("level 0") != std::string::npos);
    CHECK(refused.error().message.find("multiple of 8") != std::string::npos);
  }
}

TEST_CASE("an input that is not finite is refused") {
  const Sample sample(4, {32});
  const auto executor = (*make_elastic_backend(sample.model))->make_executor();
  REQUIRE(executor.ok());
  std::ranges::fill((*executor)->input(0), 0.0f);
  REQUIRE((*executor)->run(0).ok());
  (*executor)->input(0)[100] = HUGE_VALF;
  const auto refused = (*executor)->run(0);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kInvalidArgument);
}

}  // namespace dofa::engine
