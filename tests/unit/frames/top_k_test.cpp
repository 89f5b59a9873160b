// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/top_k.hpp"

#include <array>
#include <numeric>
#include <vector>

#include "tests/support/catch.hpp"

using namespace dofa::engine;

TEST_CASE("the best classes come best first, the lower index first among equals") {
  const std::vector<float> logits{1, 5, 3, 5, -2, 4};
  std::array<TopClass, 4> top{};
  REQUIRE(top_classes(logits, top) == 4);
  CHECK(top[0].index == 1);
  CHECK(top[1].index == 3);
  CHECK(top[2].index == 5);
  CHECK(top[3].index == 2);
}

TEST_CASE("probabilities are the softmax over all classes, not only over those returned") {
  std::vector<float> logits(1000);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>((i * 7919) % 1000) / 50.0F;
  std::vector<TopClass> all(logits.size());
  REQUIRE(top_classes(logits, all) == logits.size());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  double total = 0;
  for (const TopClass& entry : all) {
    CHECK(entry.probability == Catch::Approx(std::exp(static_cast<double>(logits[entry.index])) / sum));
    total += static_cast<double>(entry.probability);
  }
  CHECK(total == Catch::Approx(1.0));
}

TEST_CASE("huge logits do not overflow, and fewer classes than asked for are fine") {
  const std::vector<float> logits{1000.0F, 999.0F};
  std::array<TopClass, 5> top{};
  REQUIRE(top_classes(logits, top) == 2);
  CHECK(top[0].probability == Catch::Approx(1 / (1 + std::exp(-1.0))));
  CHECK(top_classes({}, top) == 0);
  CHECK(top_classes(logits, {}) == 0);
}
