// SPDX-License-Identifier: Apache-2.0
// Whole networks through the kernels against naive loops in double precision, on every SIMD target of the
// machine.
#include "daemon/engine/kernels/run.hpp"

#include <algorithm>
#include <limits>

#include "daemon/engine/kernels/simd.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/kernels/naive_net.hpp"

namespace dofa::engine::kernels {
namespace {
using testing::NaiveNet;
using testing::relative_error_on_all_targets;

constexpr double kTolerance = 1e-5;
constexpr auto kNone = Activation::kNone;
constexpr auto kRelu = Activation::kRelu;
constexpr auto kRelu6 = Activation::kRelu6;
constexpr auto kSwish = Activation::kHardSwish;
}  // namespace

TEST_CASE("A MobileNetV3 block gives what naive loops give, for every kernel, stride and odd size") {
  const int kernel = GENERATE(3, 5, 7);
  const int stride = GENERATE(1, 2);
  const int side = GENERATE(9, 14, 23, 38);
  const int expanded = GENERATE(72, 120);
  INFO("kernel " << kernel << " stride " << stride << " side " << side << " expanded " << expanded);
  NaiveNet net({3, side, side + 3}, 7, 24);
  net.conv(16, 3, 2, kSwish).depthwise(3, 1, kRelu).pointwise(16, kNone, 0);
  net.pointwise(expanded, kSwish).depthwise(kernel, stride, kSwish).squeeze_excite(24).pointwise(40, kNone);
  net.pointwise(72, kRelu).depthwise(kernel, 1, kRelu).pointwise(40, kNone, 6);
  net.pointwise(96, kSwish).pool().linear(64, kSwish).linear(10, kNone);
  CHECK(relative_error_on_all_targets(net) < kTolerance);
}

TEST_CASE("Tiny feature maps work, down to a single pixel") {
  const int side = GENERATE(1, 2, 3, 5, 8);
  const int kernel = GENERATE(3, 5, 7);
  NaiveNet net({3, side, side}, 3);
  net.conv(24, 3, 2, kSwish).depthwise(kernel, 2, kRelu).squeeze_excite(8).pointwise(24, kNone);
  net.pointwise(72, kSwish).depthwise(kernel, 2, kSwish).squeeze_excite(24).pointwise(24, kNone);
  net.pointwise(48, kSwish).pool().linear(16, kNone);
  CHECK(relative_error_on_all_targets(net) < kTolerance);
}

TEST_CASE("MobileNetV1 runs, with TensorFlow's one-sided padding") {
  const int side = GENERATE(32, 45);
  NaiveNet net({3, side, side}, 11);
  net.conv(8, 3, 2, kRelu6).depthwise(3, 1, kRelu6).pointwise(16, kRelu6);
  net.depthwise(3, 2, 0, 1, kRelu6).pointwise(32, kRelu6).depthwise(3, 1, kRelu6).pointwise(32, kRelu6);
  net.depthwise(3, 2, 0, 1, kRelu6).pointwise(64, kRelu6).pool().linear(21, kNone);
  CHECK(relative_error_on_all_targets(net) < kTolerance);
}

TEST_CASE("MobileNetV2 runs, with linear bottlenecks and residuals") {
  NaiveNet net({3, 50, 62}, 5);
  net.conv(32, 3, 2, kRelu6).depthwise(3, 1, kRelu6).pointwise(16, kNone);
  net.pointwise(96, kRelu6).depthwise(3, 2, kRelu6).pointwise(24, kNone);
  net.pointwise(144, kRelu6).depthwise(3, 1, kRelu6).pointwise(24, kNone, 5);
  net.pointwise(64, kRelu6).pool().linear(1000, kNone);
  CHECK(relative_error_on_all_targets(net) < kTolerance);
}

TEST_CASE("Large planes, which flow in strips, give the same") {
  const int kernel = GENERATE(3, 7);
  const int stride = GENERATE(1, 2);
  NaiveNet net({3, 150, 131}, 13, 8);
  net.conv(24, 3, 2, kSwish).depthwise(3, 1, kRelu).pointwise(24, kNone, 0);
  net.pointwise(144, kRelu).depthwise(kernel, stride, kRelu).pointwise(24, kNone, stride == 1 ? 2 : -1);
  net.pointwise(88, kRelu).depthwise(kernel, stride, kRelu).squeeze_excite(24).pointwise(40, kNone);
  net.pointwise(64, kSwish).pool().linear(30, kNone);
  CHECK(relative_error_on_all_targets(net) < kTolerance);
}

TEST_CASE("A depthwise layer after a residual copies its rows") {
  NaiveNet net({3, 40, 40}, 17);
  net.conv(16, 3, 2, kRelu).depthwise(3, 1, kRelu).pointwise(16, kNone, 0);
  net.depthwise(5, 2, kSwish)
      .squeeze_excite(8)
      .pointwise(32, kNone)
      .pointwise(32, kRelu, 5)
      .pointwise(48, kRelu)
      .pool()
      .linear(8, kNone);
  CHECK(relative_error_on_all_targets(net) < kTolerance);
}

TEST_CASE("Half-precision linear weights cost no more than their rounding") {
  NaiveNet net({3, 33, 33}, 19, 8);
  net.conv(16, 3, 2, kSwish).depthwise(3, 2, kSwish).pointwise(64, kSwish).pool();
  net.linear(256, kSwish, Precision::kHalf).linear(100, kNone, Precision::kHalf);
  const double error = relative_error_on_all_targets(net);
  CHECK(error < 1e-3);
  CHECK(error > 1e-6);  // else it was not stored in half precision at all
}

TEST_CASE("An arena planned over a family serves all of its plans, in any order") {
  NaiveNet small({3, 24, 24}, 23), large({3, 61, 61}, 29);
  for (NaiveNet* net : {&small, &large}) {
    const int width = net == &small ? 24 : 72;
    net->conv(16, 3, 2, kSwish).depthwise(3, 1, kRelu).pointwise(16, kNone, 0);
    net->pointwise(width, kSwish)
        .depthwise(5, 2, kSwish)
        .squeeze_excite(8)
        .pointwise(24, kNone)
        .pointwise(64, kSwish);
    net->pool().linear(10, kNone);
  }
  const auto plan_small = Plan::build(small.layers(), small.input());
  const auto plan_large = Plan::build(large.layers(), large.input());
  REQUIRE(plan_small.ok());
  REQUIRE(plan_large.ok());
  ArenaSizes sizes = plan_small->arena();
  sizes.merge(plan_large->arena());
  Arena arena(sizes);
  const auto image_small = small.image(), image_large = large.image();
  const auto first = run(*plan_small, arena, image_small);
  REQUIRE(first.ok());
  const std::vector<float> before(first->begin(), first->end());
  REQUIRE(run(*plan_large, arena, image_large).ok());
  const auto again = run(*plan_small, arena, image_small);
  REQUIRE(again.ok());
  CHECK(before == std::vector<float>(again->begin(), again->end()));

  Arena too_small(plan_small->arena());
  const auto refused = run(*plan_large, too_small, image_large);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kInvalidArgument);
}

TEST_CASE("Any number of threads gives the same answer, bit for bit") {
  NaiveNet net({3, 150, 131}, 37, 8);
  net.conv(24, 3, 2, kSwish).depthwise(3, 1, kRelu).pointwise(24, kNone, 0);
  net.pointwise(144, kRelu).depthwise(5, 2, kRelu).pointwise(24, kNone);
  net.pointwise(88, kRelu).depthwise(7, 2, kRelu).squeeze_excite(24).pointwise(40, kNone);
  net.pointwise(240, kSwish).depthwise(5, 1, kSwish).squeeze_excite(64).pointwise(40, kNone, 9);
  net.pointwise(480, kSwish).pool().linear(640, kSwish).linear(1000, kNone);
  const auto plan = Plan::build(net.layers(), net.input());
  REQUIRE(plan.ok());
  const auto image = net.image();
  Arena arena(plan->arena());
  const auto alone = run(*plan, arena, image);
  REQUIRE(alone.ok());
  for (const int workers : {2, 3, 8}) {
    INFO(workers << " workers");
    Arena shared(plan->arena(), workers);
    Team team(workers);
    for (int repeat = 0; repeat < 20; ++repeat) {
      const auto together = run(*plan, shared, team, image);
      REQUIRE(together.ok());
      REQUIRE(std::equal(alone->begin(), alone->end(), together->begin()));
    }
    CHECK_FALSE(run(*plan, arena, team, image).ok());
  }
}

TEST_CASE("An image with an infinity or a not-a-number is refused") {
  NaiveNet net({3, 21, 21}, 31);
  net.conv(8, 3, 2, kRelu).depthwise(3, 1, kRelu).pointwise(16, kRelu).pool().linear(4, kNone);
  const auto plan = Plan::build(net.layers(), net.input());
  REQUIRE(plan.ok());
  Arena arena(plan->arena());
  auto image = net.image();
  REQUIRE(run(*plan, arena, image).ok());
  const std::size_t position = GENERATE(std::size_t{0}, std::size_t{500}, std::size_t{3 * 21 * 21 - 1});
  for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN()}) {
    image[position] = bad;
    const auto refused = run(*plan, arena, image);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kInvalidArgument);
  }
  image.pop_back();
  CHECK_FALSE(run(*plan, arena, image).ok());
}

}  // namespace dofa::engine::kernels
