// SPDX-License-Identifier: Apache-2.0
// The trainable network against the engine's reference executor, which is itself held against the original
// code.
#include <torch/torch.h>

#include "daemon/engine/calibration.hpp"
#include "daemon/engine/reference.hpp"
#include "models/train/network.hpp"
#include "models/train/validation.hpp"
#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::train;

namespace {

engine::FloatTensors tensors_of(const Network& network) {
  engine::FloatTensors tensors;
  for (const Parameter& parameter : network.parameters()) {
    const at::Tensor values = parameter.value.detach().contiguous();
    tensors[parameter.name] = {values.sizes().vec(),
                               {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()}};
  }
  return tensors;
}

Space small_space(std::vector<std::uint8_t> kernels) {
  Space space;
  space.width = 0.25;
  space.kernel_sizes = std::move(kernels);
  space.max_depth = 3;
  return space;
}

}  // namespace

TEST_CASE("every sub-network answers as the engine's reference does with the batch's statistics") {
  torch::manual_seed(4);
  const torch::NoGradGuard no_gradients;
  const Space space =
      small_space(GENERATE(std::vector<std::uint8_t>{3, 5}, std::vector<std::uint8_t>{3, 5, 7}));
  const Network network(space, 7);
  for (const Parameter& parameter : network.parameters())  // no identity transforms, no ones and zeros
    parameter.value.detach().add_(torch::randn_like(parameter.value), 0.05);
  const auto supernet = engine::make_supernet(tensors_of(network), strides_of(space));
  REQUIRE(supernet.ok());
  CHECK(supernet->width == Approx(space.width));
  const at::Tensor images = torch::randn({6, 3, 24, 24});
  for (std::uint64_t draw = 0; draw < 4; ++draw) {
    const auto architecture = draw == 0   ? largest(space)
                              : draw == 1 ? smallest(space)
                                          : random_architecture(space, 1, 2, draw);
    const auto subnet = engine::extract_subnet(*supernet, architecture);
    REQUIRE(subnet.ok());
    const at::Tensor theirs = engine::run_reference(
        *supernet, *subnet, images,
        [](const at::Tensor& x, const engine::BatchNorm& norm, const engine::Moments&) {
          const auto view = [&](const std::vector<float>& values) {
            return at::tensor(values).narrow(0, 0, x.size(1));
          };
          return at::batch_norm(x, view(norm.weight), view(norm.bias), {}, {}, true, 0, 1e-5, false);
        });
    std::size_t layers = 0;
    const at::Tensor ours = network.forward(architecture, images.permute({0, 2, 3, 1}).contiguous(),
                                            [&](const BatchMoments&) { ++layers; });
    engine::Subnet copy = *subnet;
    CHECK(layers == engine::norm_layers(*supernet, copy).size());
    CHECK(((ours - theirs).abs().max() / (theirs.max() - theirs.min())).item<double>() < 1e-4);
  }
}

TEST_CASE("blocks with a shortcut start as the identity") {
  const torch::NoGradGuard no_gradients;
  Space space = small_space({3, 5});
  const Network network(space, 7);
  const at::Tensor images = torch::randn({4, 24, 24, 3});
  config::OfaArchitecture shallow = largest(space);
  shallow.depths.fill(2);
  const at::Tensor deep_answer = network.forward(largest(space), images);
  CHECK(deep_answer.abs().max().item<double>() > 0);
  CHECK((deep_answer - network.forward(shallow, images)).abs().max().item<double>() == 0);
}

TEST_CASE("a replica shares weights and keeps gradients of its own") {
  const Space space = small_space({3, 5});
  const Network network(space, 7);
  const Network replica = network.replica();
  const at::Tensor images = torch::randn({4, 16, 16, 3});
  replica.forward(smallest(space), images).sum().backward();
  const auto mine = network.parameters();
  const auto others = replica.parameters();
  REQUIRE(mine.size() == others.size());
  CHECK(mine[0].value.data_ptr() == others[0].value.data_ptr());
  CHECK(others[0].value.grad().defined());
  CHECK_FALSE(mine[0].value.grad().defined());
}
