// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/kernels/weights.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "daemon/engine/kernels/layers.hpp"
#include "tests/support/catch.hpp"

namespace dofa::engine::kernels {
namespace {
/// IEEE binary16 by its definition.
double value_of_half(std::uint16_t half) {
  const double sign = half & 0x8000 ? -1 : 1;
  const int exponent = half >> 10 & 31;
  const int mantissa = half & 1023;
  if (exponent == 31) return mantissa == 0 ? sign * std::numeric_limits<double>::infinity() : std::nan("");
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}
}  // namespace

TEST_CASE("A matrix is packed in blocks of 16 outputs, zero past the last") {
  std::vector<float> values(24 * 3);
  std::iota(values.begin(), values.end(), 1.0f);
  WeightStore store;
  const MatrixWeights packed = store.add_matrix(values, 24, 3);
  const auto* data = static_cast<const float*>(packed.data);
  CHECK(reinterpret_cast<std::uintptr_t>(data) % 64 == 0);
  for (int block = 0; block < 2; ++block) {
    for (int i = 0; i < 3; ++i) {
      for (int lane = 0; lane < 16; ++lane) {
        const int o = block * 16 + lane;
        CHECK(data[(block * 3 + i) * 16 + lane] == (o < 24 ? values[o * 3 + i] : 0.0f));
      }
    }
  }
}

TEST_CASE("The corner of a larger matrix is packed like a matrix of that size") {
  std::vector<float> values(40 * 10), corner;
  std::iota(values.begin(), values.end(), 1.0f);
  for (int o = 0; o < 24; ++o)
    corner.insert(corner.end(), values.begin() + o * 10, values.begin() + o * 10 + 7);
  WeightStore store;
  const auto* got = static_cast<const float*>(store.add_matrix(values, 24, 7, Precision::kFloat, 10).data);
  const auto* wanted = static_cast<const float*>(store.add_matrix(corner, 24, 7).data);
  CHECK(std::equal(wanted, wanted + 2 * 7 * 16, got));
}

TEST_CASE("Convolution and depthwise weights keep their taps in order") {
  std::vector<float> values(16 * 3 * 3 * 3);
  std::iota(values.begin(), values.end(), 1.0f);
  WeightStore store;
  const ConvWeights conv = store.add_conv(values, 16, 3, 3);
  CHECK(conv.data[0] == values[0]);
  CHECK(conv.data[(2 * 9 + 5) * 16 + 7] == values[7 * 27 + 2 * 9 + 5]);
  const DepthwiseWeights filter = store.add_depthwise(std::span(values).first(48 * 9), 48, 3);
  CHECK(filter.data[(2 * 9 + 4) * 16 + 1] == values[33 * 9 + 4]);
}

TEST_CASE("Half-precision weights are rounded to the nearest, ties to even") {
  const std::vector<float> values = {0.0f,  -0.0f, 1.0f,    -2.5f,   65504.0f, 1.0f / 3,   1e-5f, -3e-8f,
                                     1e-9f, 0.1f,  2049.0f, 2051.0f, 65519.0f, 6.1035e-5f, 6e-5f, -1e-7f};
  WeightStore store;
  const MatrixWeights packed = store.add_matrix(values, 16, 1, Precision::kHalf);
  const auto* halves = static_cast<const std::uint16_t*>(packed.data);
  for (int i = 0; i < 16; ++i) {
    INFO("value " << values[i]);
    const double got = value_of_half(halves[i]);
    for (const int neighbour : {halves[i] - 1, halves[i] + 1}) {
      const double other = value_of_half(static_cast<std::uint16_t>(neighbour));
      if (std::isfinite(other)) CHECK(std::abs(got - values[i]) <= std::abs(other - values[i]));
    }
  }
  CHECK(value_of_half(halves[10]) == 2048);  // halfway between 2048 and 2050
  CHECK(value_of_half(halves[11]) == 2052);  // halfway between 2050 and 2052
}

TEST_CASE("A store's bytes grow with what is added, and earlier weights stay where they are") {
  WeightStore store;
  const std::vector<float> some(16 * 8, 1.0f);
  const MatrixWeights first = store.add_matrix(some, 16, 8);
  const std::size_t before = store.bytes();
  const std::vector<float> large(512 * 4096, 2.0f);
  (void)store.add_matrix(large, 512, 4096);
  CHECK(store.bytes() >= before + large.size() * sizeof(float));
  CHECK(static_cast<const float*>(first.data)[0] == 1.0f);
}

TEST_CASE("Batch normalisation folds into its closed form") {
  const std::vector<float> weight = {2, 0.5f}, bias = {1, -1}, mean = {3, 100}, variance = {4, 0.25f};
  const Affine affine = fold_batch_norm(weight, bias, mean, variance, 0);
  CHECK(affine.scale == std::vector<float>{1, 1});
  CHECK(affine.bias == std::vector<float>{-2, -101});
}

}  // namespace dofa::engine::kernels
