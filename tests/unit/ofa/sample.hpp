// SPDX-License-Identifier: Apache-2.0
// Small random families whose answers a naive network knows, shared by the tests of the executors.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <vector>

#include "daemon/engine/ofa_model.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ofa/naive_ofa.hpp"

namespace dofa::engine::test {

/// A supernet with as many random levels as there are sides.
struct Sample {
  config::OfaSupernet strides;
  FloatTensors tensors;
  std::vector<config::OfaArchitecture> architectures;
  std::vector<Statistics> statistics;
  std::shared_ptr<OfaModel> model = std::make_shared<OfaModel>();

  Sample(unsigned seed, const std::vector<std::uint32_t>& sides)
      : strides(strides_of(seed)), tensors(random_tensors(seed)) {
    model->supernet = *make_supernet(tensors, strides);
    for (unsigned i = 0; i < sides.size(); ++i) {
      architectures.push_back(random_architecture(seed + 50 + i));
      statistics.push_back(random_statistics(model->supernet, architectures[i], seed + i));
      OfaLevel level{sides[i], *extract_subnet(model->supernet, architectures[i])};
      REQUIRE(set_statistics(model->supernet, level.subnet, statistics[i]).ok());
      model->levels.push_back(std::move(level));
    }
  }
  /// What level i must answer, image after image.
  [[nodiscard]] std::vector<double> expected(std::size_t i, const Maps& images) const {
    return run_naively(tensors, architectures[i], strides, images, statistics[i]);
  }
};

inline std::vector<float> floats(const Maps& images) {
  return {images.values.begin(), images.values.end()};
}

/// Largest difference over the range of what is expected.
template <class Expected>
double relative_difference(std::span<const float> got, const Expected& expected) {
  REQUIRE(got.size() == expected.size());
  double largest = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double difference = std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i]));
    if (!(difference <= largest)) largest = difference;  // keeps a not-a-number
  }
  const auto [low, high] = std::ranges::minmax(expected);
  return largest / (static_cast<double>(high) - static_cast<double>(low));
}

}  // namespace dofa::engine::test
