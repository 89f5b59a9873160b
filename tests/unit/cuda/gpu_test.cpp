// SPDX-License-Identifier: Apache-2.0
// Families on a real GPU, against the executors of the CPU. Without one nothing runs, and it says so (exit
// status 77).
#include <torch/script.h>

#include <cstdio>
#include <cstdlib>
#include <random>

#include "daemon/engine/gpus.hpp"
#include "daemon/engine/ofa_gpu.hpp"
#include "daemon/engine/preprocess.hpp"
#include "tests/support/model_family.hpp"
#include "tests/unit/ofa/files.hpp"
#include "tests/unit/ofa/sample.hpp"

namespace dofa::engine {
namespace {
using test::Sample;

/// Before Catch2's main: it cannot skip a program.
const bool kHasGpu = [] {
  if (!find_gpus().empty()) return true;
  std::puts("skipped: this build has no CUDA, or this machine no NVIDIA GPU");
  std::fflush(stdout);
  std::_Exit(77);
}();

std::unique_ptr<Runner> runner_for(const Sample& sample, GpuPrecision precision) {
  const auto gpu = make_ofa_gpu(sample.model, {precision, 8});
  REQUIRE(gpu != nullptr);
  auto runner = gpu->make_runner(std::make_shared<dofa::test::ModelFamily>(*sample.model), "cuda:0");
  if (!runner) FAIL(runner.error().message);
  return std::move(*runner);
}

/// Frames of the level's own size, already normalised.
std::vector<std::vector<float>> images_of(const test::Maps& batch) {
  const std::size_t each = batch.values.size() / static_cast<std::size_t>(batch.count);
  std::vector<std::vector<float>> images;
  for (auto at = batch.values.begin(); at != batch.values.end(); at += static_cast<std::ptrdiff_t>(each))
    images.emplace_back(at, at + static_cast<std::ptrdiff_t>(each));
  return images;
}

ImageView planes(const std::vector<float>& image, std::uint32_t side) {
  return {reinterpret_cast<const std::byte*>(image.data()),
          {PixelFormat::kFloat32Nchw, side, side, side * 4}};
}

std::vector<float> answer(Runner& runner, const ImageView& image) {
  REQUIRE(runner.prepare(0, image).ok());
  const auto logits = runner.run(0);
  REQUIRE(logits.ok());
  return {logits->begin(), logits->end()};
}

}  // namespace

TEST_CASE("the GPU is described") {
  const Gpu gpu = find_gpus().front();
  CHECK(gpu.processor == "cuda:0");
  CHECK_FALSE(gpu.model.empty());
  CHECK(gpu.driver.find("runtime") != std::string::npos);
  CHECK(gpu.memory_bytes > 0);
  CHECK(free_gpu_memory("cuda:0").value_or(0) > 0);
  CHECK_FALSE(free_gpu_memory("cpu").has_value());
}

TEST_CASE("every level and batch size answers what a naive network does, in any order") {
  const auto precision = GENERATE(GpuPrecision::kFloat, GpuPrecision::kHalf);
  const double tolerance = precision == GpuPrecision::kFloat ? 1e-4 : 2e-2;
  const unsigned seed = GENERATE(range(0U, 4U));
  const std::vector<std::uint32_t> sides{32, 27, 48};
  const Sample sample(seed, sides);
  const auto runner = runner_for(sample, precision);
  CHECK(runner->max_batch() == 8);
  for (const std::uint32_t level : {2U, 0U, 1U, 0U}) {
    for (const std::uint32_t count : {1U, 2U, 3U, 4U, 7U, 8U, 1U}) {
      INFO("seed " << seed << ", level " << level << ", batch " << count);
      const test::Maps batch =
          test::random_images(static_cast<int>(count), static_cast<int>(sides[level]), seed + count);
      const auto images = images_of(batch);
      for (std::uint32_t slot = 0; slot < count; ++slot)
        REQUIRE(runner->prepare_in(slot, level, planes(images[slot], sides[level])).ok());
      const auto logits = runner->run_batch(level, count);
      REQUIRE(logits.ok());
      CHECK(test::relative_difference(*logits, sample.expected(level, batch)) < tolerance);
    }
  }
}

TEST_CASE("frames of every format become the input that the CPU makes of them") {
  const Sample sample(1, {32});
  const auto runner = runner_for(sample, GpuPrecision::kFloat);
  const PixelFormat format = GENERATE(PixelFormat::kRgb8, PixelFormat::kBgr8, PixelFormat::kGray8,
                                      PixelFormat::kNv12, PixelFormat::kYuyv);
  std::mt19937 random(5);
  for (const auto& [width, height] : {std::pair{64U, 48U}, {48U, 64U}, {20U, 18U}, {1280U, 720U}}) {
    INFO(pixel_format_name(format) << " " << width << " x " << height);
    ImageLayout layout{format, width, height, static_cast<std::uint32_t>(row_bytes(format, width)) + 5};
    std::vector<std::byte> bytes(*check_layout(layout));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    std::vector<float> prepared(std::size_t{3} * 32 * 32);
    Preprocessor preprocessor(config::Preprocessing{});
    REQUIRE(preprocessor.run({bytes.data(), layout}, 32, prepared).ok());
    const auto expected = answer(*runner, planes(prepared, 32));
    CHECK(test::relative_difference(answer(*runner, {bytes.data(), layout}), expected) < 1e-4);
  }
}

TEST_CASE("a frame that is refused leaves the runner as it was") {
  const Sample sample(1, {32});
  const auto runner = runner_for(sample, GpuPrecision::kHalf);
  std::vector<float> image(std::size_t{3} * 32 * 32, 0.5F);
  const auto before = answer(*runner, planes(image, 32));
  std::vector<float> broken = image;
  broken[77] = HUGE_VALF;
  const auto refused = runner->prepare(0, planes(broken, 32));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kInvalidArgument);
  CHECK(answer(*runner, planes(image, 32)) == before);
  CHECK_FALSE(runner->run_batch(0, 9).ok());
  CHECK_FALSE(runner->prepare_in(8, 0, planes(image, 32)).ok());
  CHECK(answer(*runner, planes(image, 32)) == before);
}

TEST_CASE("processors that are not there are not supported") {
  const Sample sample(1, {32});
  const auto gpu = make_ofa_gpu(sample.model);
  for (const std::string name : {"cuda:99", "cuda:", "cuda:0x", "tpu:0"}) {
    const auto runner = gpu->make_runner(std::make_shared<dofa::test::ModelFamily>(*sample.model), name);
    REQUIRE_FALSE(runner.ok());
    CHECK(runner.error().code == ErrorCode::kNotSupported);
  }
}

TEST_CASE("a TorchScript family answers on the GPU what it does on the CPU, which it leaves as it was") {
  const test::TemporaryFolder folder;
  torch::jit::Module module("net");
  module.register_parameter("weight", torch::randn({4, 3}), false);
  module.define("def forward(self, x):\n    return torch.matmul(x.mean([2, 3]), self.weight.t())\n");
  module.save(folder / "net.pt");
  torch::jit::Module homesick("net");
  homesick.define(
      "def forward(self, x):\n    return torch.cat([x.mean([2, 3]), torch.full([1, 1], 0.1)], 1)\n");
  homesick.save(folder / "homesick.pt");
  config::FamilyFile description;
  description.name = "scripts";
  description.classes = 4;
  description.subnets.push_back({"net", 32, {}, "net.pt", {}, {}});
  const auto family = load_family(folder / "", description);
  REQUIRE(family.ok());
  const auto on_cpu = (*family)->make_runner(*family);
  const auto on_gpu = (*family)->make_runner_on(*family, "cuda:0");
  REQUIRE(on_cpu.ok());
  REQUIRE(on_gpu.ok());
  std::vector<float> image(std::size_t{3} * 32 * 32);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i % 97) / 97;
  const auto expected = answer(**on_cpu, planes(image, 32));
  CHECK(test::relative_difference(answer(**on_gpu, planes(image, 32)), expected) < 1e-4);
  CHECK(answer(**on_cpu, planes(image, 32)) == expected);

  description.subnets[0].file = "homesick.pt";
  const auto other = load_family(folder / "", description);
  REQUIRE(other.ok());
  const auto refused = (*other)->make_runner_on(*other, "cuda:0");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kNotSupported);
}

}  // namespace dofa::engine
