// SPDX-License-Identifier: Apache-2.0
// A GPU that is lost under a runner. A program of its own: nothing in the process gets the GPU back.
#include <cstdio>
#include <cstdlib>

#include "daemon/engine/gpus.hpp"
#include "daemon/engine/ofa_gpu.hpp"
#include "tests/support/model_family.hpp"
#include "tests/unit/ofa/sample.hpp"

bool poison_gpu();

namespace dofa::engine {
namespace {
const bool kHasGpu = [] {
  if (!find_gpus().empty()) return true;
  std::puts("skipped: this build has no CUDA, or this machine no NVIDIA GPU");
  std::fflush(stdout);
  std::_Exit(77);
}();
}  // namespace

TEST_CASE("a runner whose GPU is lost says so, for ever, and never crashes; the CPU goes on") {
  const test::Sample sample(1, {32});
  const auto gpu = make_ofa_gpu(sample.model);
  const auto family = std::make_shared<dofa::test::ModelFamily>(*sample.model);
  auto runner = gpu->make_runner(family, "cuda:0");
  REQUIRE(runner.ok());
  const std::vector<float> image(std::size_t{3} * 32 * 32, 0.5F);
  const ImageView view{reinterpret_cast<const std::byte*>(image.data()),
                       {PixelFormat::kFloat32Nchw, 32, 32, 128}};
  REQUIRE((*runner)->prepare(0, view).ok());
  REQUIRE((*runner)->run(0).ok());
  REQUIRE(poison_gpu());
  std::string message;
  for (int i = 0; i < 3; ++i) {
    const auto prepared = (*runner)->prepare(0, view);
    const auto logits = (*runner)->run(0);
    REQUIRE_FALSE(prepared.ok());
    REQUIRE_FALSE(logits.ok());
    CHECK(prepared.error().code == ErrorCode::kNotReady);
    CHECK(logits.error().code == ErrorCode::kNotReady);
    if (i == 0) message = logits.error().message;
    CHECK(logits.error().message == message);
  }
  const auto another = gpu->make_runner(family, "cuda:0");
  REQUIRE_FALSE(another.ok());
  CHECK(another.error().code == ErrorCode::kNotReady);
  runner->reset();

  const auto backend = make_reference_backend(sample.model);
  const auto executor = (*backend)->make_executor();
  std::ranges::copy(image, (*executor)->input(0).begin());
  CHECK((*executor)->run(0).ok());
}

}  // namespace dofa::engine
