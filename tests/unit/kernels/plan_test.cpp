// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/kernels/plan.hpp"

#include <string>

#include "tests/support/catch.hpp"
#include "tests/unit/kernels/naive_net.hpp"

namespace dofa::engine::kernels {
namespace {
using testing::NaiveNet;
constexpr auto kRelu = Activation::kRelu;

NaiveNet small_net() {
  NaiveNet net({3, 32, 32});
  net.conv(16, 3, 2, kRelu).depthwise(3, 1, kRelu).pointwise(24, Activation::kNone);
  net.pointwise(48, kRelu).depthwise(5, 2, kRelu).squeeze_excite(8).pointwise(24, Activation::kNone);
  net.pointwise(64, kRelu).pool().linear(10, Activation::kNone);
  return net;
}

void check_refused(const std::vector<Layer>& layers, Shape input, ErrorCode code, const std::string& word) {
  const auto plan = Plan::build(layers, input);
  REQUIRE_FALSE(plan.ok());
  INFO(plan.error().message);
  CHECK(plan.error().code == code);
  CHECK(plan.error().message.find(word) != std::string::npos);
}
}  // namespace

TEST_CASE("A plan counts multiply-adds and holds little beside the weights") {
  const NaiveNet net = small_net();
  const auto plan = Plan::build(net.layers(), net.input());
  REQUIRE(plan.ok());
  const std::int64_t conv = 16 * 16 * 16 * 27, first = 16 * 16 * (16 * 9 + 16 * 24);
  const std::int64_t second = 16 * 16 * 24 * 48 + 8 * 8 * 48 * 25 + 2 * 48 * 8 + 8 * 8 * 48 * 24;
  const std::int64_t head = 8 * 8 * 24 * 64 + 64 * 10;
  CHECK(plan->macs() == conv + first + second + head);
  CHECK(plan->outputs() == 10);
  CHECK(plan->steps().size() == 4);
  CHECK(plan->bytes() < 4096);
}

TEST_CASE("Fewer multiply-adds than weights never happen: a plan points into the shared weights") {
  const NaiveNet net = small_net();
  const auto one = Plan::build(net.layers(), net.input());
  const auto two = Plan::build(net.layers(), {3, 48, 40});
  REQUIRE(one.ok());
  REQUIRE(two.ok());
  const auto& a = std::get<BlockStep>(one->steps()[1]);
  const auto& b = std::get<BlockStep>(two->steps()[1]);
  CHECK(a.project.weights == b.project.weights);
  CHECK(a.depthwise.weights == b.depthwise.weights);
  CHECK(a.project.epilogue.scale != b.project.epilogue.scale);
}

TEST_CASE("What the kernels can't run is refused, and the message names the layer") {
  const NaiveNet net = small_net();
  std::vector<Layer> layers = net.layers();
  SECTION("channels that are no multiple of 8") {
    std::get<PointwiseLayer>(layers[2]).out_channels = 20;
    std::get<PointwiseLayer>(layers[2]).affine = {};
    check_refused(layers, net.input(), ErrorCode::kNotSupported, "layer 2: channels are no multiple of 8");
  }
  SECTION("expanded channels that are no multiple of 8") {
    std::get<PointwiseLayer>(layers[3]).out_channels = 44;
    std::get<PointwiseLayer>(layers[3]).affine = {};
    check_refused(layers, net.input(), ErrorCode::kNotSupported, "layer 4: channels are no multiple of 8");
  }
  SECTION("huge images") {
    check_refused(layers, {3, 4096, 32}, ErrorCode::kNotSupported, "size");
  }
  SECTION("many-channel images") {
    check_refused(layers, {8, 32, 32}, ErrorCode::kNotSupported, "size");
  }
  SECTION("another depthwise kernel") {
    std::get<DepthwiseLayer>(layers[4]).weights.kernel = 9;
    check_refused(layers, net.input(), ErrorCode::kNotSupported, "layer 4: this kernel size");
  }
  SECTION("another stride") {
    std::get<DepthwiseLayer>(layers[4]).stride = 3;
    check_refused(layers, net.input(), ErrorCode::kNotSupported, "layer 4: this kernel size");
  }
  SECTION("no first convolution") {
    layers.erase(layers.begin());
    check_refused(layers, net.input(), ErrorCode::kNotSupported, "first layer");
  }
  SECTION("a convolution in the middle") {
    layers.insert(layers.begin() + 3, layers[0]);
    check_refused(layers, net.input(), ErrorCode::kNotSupported, "layer 3");
  }
  SECTION("squeeze-and-excite by itself") {
    layers.insert(layers.begin() + 7, layers[5]);
    check_refused(layers, net.input(), ErrorCode::kNotSupported, "layer 7");
  }
  SECTION("no vector at the end") {
    layers.resize(7);
    check_refused(layers, net.input(), ErrorCode::kNotSupported, "ends in a vector");
  }
  SECTION("an empty network") {
    check_refused({}, net.input(), ErrorCode::kNotSupported, "ends in a vector");
  }
}

TEST_CASE("Layers that contradict each other or their weights are invalid") {
  const NaiveNet net = small_net();
  std::vector<Layer> layers = net.layers();
  SECTION("more output channels than weights") {
    std::get<PointwiseLayer>(layers[2]).out_channels = 32;
    check_refused(layers, net.input(), ErrorCode::kInvalidArgument, "needs 32 x 16 weights of 24 x 16");
  }
  SECTION("more input channels than weights") {
    std::get<LinearLayer>(layers[9]).weights.in_channels = 56;
    check_refused(layers, net.input(), ErrorCode::kInvalidArgument, "layer 9");
  }
  SECTION("scales for another number of channels") {
    std::get<DepthwiseLayer>(layers[4]).affine.scale.pop_back();
    check_refused(layers, net.input(), ErrorCode::kInvalidArgument, "47 scales or biases for 48 channels");
  }
  SECTION("an image of another number of channels") {
    check_refused(layers, {1, 32, 32}, ErrorCode::kInvalidArgument, "layer 0");
  }
  SECTION("a residual of another shape") {
    std::get<PointwiseLayer>(layers[6]).residual_from = 2;
    check_refused(layers, net.input(), ErrorCode::kInvalidArgument, "residual of another shape");
  }
  SECTION("a residual from far away") {
    std::get<PointwiseLayer>(layers[6]).residual_from = 0;
    check_refused(layers, net.input(), ErrorCode::kNotSupported, "residual from outside its block");
  }
}

}  // namespace dofa::engine::kernels
