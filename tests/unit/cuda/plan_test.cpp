// SPDX-License-Identifier: Apache-2.0
// What a GPU is told to compute, computed on the CPU and held against a naive network and the reference
// executor.
#include "daemon/engine/cuda/plan.hpp"

#include <ATen/ATen.h>
#include <c10/util/Half.h>

#include <random>
#include <set>
#include <string>

#include "daemon/config/family.hpp"
#include "daemon/engine/gpus.hpp"
#include "daemon/engine/ofa_family.hpp"
#include "daemon/engine/reference.hpp"
#include "tests/unit/cuda/host_run.hpp"
#include "tests/unit/ofa/sample.hpp"

namespace dofa::engine::cuda {
namespace {
using engine::test::floats;
using engine::test::Maps;
using engine::test::relative_difference;
using engine::test::Sample;
using test::HostRun;

std::size_t gemm_count(const LevelPlan& level) {
  return static_cast<std::size_t>(std::ranges::count_if(
      level.steps, [](const Step& step) { return std::holds_alternative<GemmStep>(step); }));
}
}  // namespace

TEST_CASE("every level and batch size answers what a naive network does, in any order") {
  const unsigned seed = GENERATE(range(0U, 6U));
  INFO("seed " << seed);
  const std::vector<std::uint32_t> sides{32, 27, 48};
  const Sample sample(seed, sides);
  const auto plan = Plan::make(*sample.model, 4);
  REQUIRE(plan.ok());
  HostRun<float> host(*plan, 4);
  for (const std::size_t level : {2, 0, 1, 0}) {
    for (const int images : {1, 4, 3}) {
      INFO("level " << level << ", " << images << " images");
      const Maps batch = engine::test::random_images(images, static_cast<int>(sides[level]), seed);
      const auto logits = host.run(level, images, floats(batch));
      CHECK(relative_difference(logits, sample.expected(level, batch)) < 1e-5);
    }
  }
}

TEST_CASE("the family that ships, in half precision, stays within a hundredth of the reference executor") {
  const std::string directory = DOFA_SOURCE_DIR "/models/cifar10";
  const auto description = config::read_family(directory + "/family.yaml");
  REQUIRE(description.ok());
  OfaModel model{*load_supernet(directory, *description), {}};
  for (const config::SubnetEntry& entry : description->subnets)
    model.levels.push_back({entry.resolution, *load_subnet(directory, entry, model.supernet)});
  const auto plan = Plan::make(model, 1);
  REQUIRE(plan.ok());
  HostRun<c10::Half> half(*plan, 1);
  HostRun<float> exact(*plan, 1);
  for (std::size_t level = 0; level < model.levels.size(); level += 3) {
    const std::int64_t side = model.levels[level].resolution;
    const at::Tensor image = at::randn({1, 3, side, side}, at::make_generator<at::CPUGeneratorImpl>(7));
    const std::vector<float> input(image.data_ptr<float>(), image.data_ptr<float>() + image.numel());
    const at::Tensor answer = run_reference(model.supernet, model.levels[level].subnet, image).contiguous();
    const std::vector<float> expected(answer.data_ptr<float>(), answer.data_ptr<float>() + answer.numel());
    CHECK(relative_difference(exact.run(level, 1, input), expected) < 1e-4);
    const double difference = relative_difference(half.run(level, 1, input), expected);
    CHECK(difference < 1e-2);
    CHECK(difference > 1e-6);  // it is half indeed
  }
  CHECK(half.reach() < 6000);
}

TEST_CASE("levels share their weights: a second one adds what is its own alone") {
  const Sample one(5, {32});
  const Sample many(5, std::vector<std::uint32_t>(12, 32));
  const auto alone = Plan::make(*one.model, 1), all = Plan::make(*many.model, 1);
  REQUIRE(alone.ok());
  REQUIRE(all.ok());
  CHECK(all->levels().size() == 12);
  CHECK(all->weights().size() < alone->weights().size() * 2);  // wider blocks and other kernel sizes
  // A level's 1x1 starts where everybody's does, whatever its width.
  std::set<std::size_t> expands;
  for (const LevelPlan& level : all->levels()) {
    CHECK(gemm_count(level) >= 1);
    expands.insert(std::get<GemmStep>(*std::ranges::find_if(level.steps, [](const Step& step) {
                     const auto* gemm = std::get_if<GemmStep>(&step);
                     return gemm != nullptr && gemm->to == Place::kExpanded;
                   })).weights.offset);
  }
  CHECK(expands.size() == 1);
}

TEST_CASE("matrices start where the GEMM library expects them to") {
  const Sample sample(3, {32, 40});
  const auto plan = Plan::make(*sample.model, 2);
  REQUIRE(plan.ok());
  for (const LevelPlan& level : plan->levels()) {
    for (const Step& step : level.steps) {
      if (const auto* gemm = std::get_if<GemmStep>(&step)) {
        CHECK(gemm->weights.offset % kAlign == 0);
        CHECK(gemm->weights.stride % 8 == 0);
        CHECK(gemm->weights.inputs % 8 == 0);
      }
    }
  }
  const Arena arena = Arena::make(*plan, 2, 8);
  for (const std::size_t offset : arena.offsets) CHECK(offset % 256 == 0);
}

TEST_CASE(
    "a layer whose sums would leave half's range is scaled, exactly, and its normalisation takes that back") {
  Moments moments{{0, 3}, {1, 4}};
  CHECK(gemm_scaling(moments) == 1);
  moments.mean[1] = -60000;
  const float scaling = gemm_scaling(moments);
  CHECK(60000 * scaling <= 4096);
  CHECK(60000 * scaling > 2000);
  CHECK(std::exp2(std::round(std::log2(scaling))) == scaling);
  moments = {{0}, {1e10F}};
  CHECK(8e5F * gemm_scaling(moments) <= 4096);

  // A supernet whose first 1x1 is ten thousand times as large, with statistics to match, is the same
  // function.
  Sample sample(2, {32});
  const Maps image = engine::test::random_images(1, 32, 2);
  const auto expected = sample.expected(0, image);
  constexpr float kFactor = 65536;
  SubnetBlock& block = sample.model->levels[0].subnet.blocks[1];
  SupernetBlock& source = sample.model->supernet.blocks[block.source];
  for (float& weight : source.expand_weight) weight *= kFactor;
  for (float& mean : block.expand.mean) mean *= kFactor;
  for (float& variance : block.expand.variance) variance *= kFactor * kFactor;
  const auto plan = Plan::make(*sample.model, 1);
  REQUIRE(plan.ok());
  HostRun<float> exact(*plan, 1);
  CHECK(relative_difference(exact.run(0, 1, floats(image)), expected) < 1e-3);  // epsilon no longer counts
  CHECK(exact.reach() < 65504);
}

TEST_CASE("what cannot run on a GPU is refused with its level") {
  SECTION("odd channel counts") {
    Sample sample(2, {32});
    sample.model->supernet.final_channels -= 1;
    const auto plan = Plan::make(*sample.model, 1);
    REQUIRE_FALSE(plan.ok());
    CHECK(plan.error().code == ErrorCode::kNotSupported);
    CHECK(plan.error().message.find("multiple of 8") != std::string::npos);
  }
  SECTION("feature maps beyond 31 bits") {
    const Sample sample(1, {32, 20000});
    const auto plan = Plan::make(*sample.model, 8);
    REQUIRE_FALSE(plan.ok());
    CHECK(plan.error().code == ErrorCode::kNotSupported);
    CHECK(plan.error().message.find("level 1") != std::string::npos);
  }
}

TEST_CASE("where there is no GPU, a family says that it cannot run on one") {
  if (!find_gpus().empty()) return;
  const std::string directory = DOFA_SOURCE_DIR "/models/cifar10";
  const auto description = config::read_family(directory + "/family.yaml");
  REQUIRE(description.ok());
  const auto family = load_family(directory, *description);
  REQUIRE(family.ok());
  CHECK((*family)->make_runner_on(*family, "cpu").ok());
  const auto refused = (*family)->make_runner_on(*family, "cuda:0");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kNotSupported);
  CHECK(refused.error().message.find("cuda:0") != std::string::npos);
}

}  // namespace dofa::engine::cuda
