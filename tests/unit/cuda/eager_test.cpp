// SPDX-License-Identifier: Apache-2.0
// The operators that dofa-bench cuda times are the network: on the CPU they answer what the reference
// executor does.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "daemon/engine/reference.hpp"
#include "tests/bench/cuda/eager.hpp"
#include "tests/unit/ofa/sample.hpp"

namespace dofa::engine {

TEST_CASE("LibTorch's operators, as the benchmark runs them, answer what the reference executor does") {
  const c10::InferenceMode no_gradients;
  const test::Sample sample(4, {32, 40});
  for (std::size_t level = 0; level < 2; ++level) {
    const std::int64_t side = sample.model->levels[level].resolution;
    const at::Tensor images = at::randn({2, 3, side, side});
    const at::Tensor expected =
        run_reference(sample.model->supernet, sample.model->levels[level].subnet, images).contiguous();
    const bench::EagerNet net(sample.model->supernet, sample.model->levels[level].subnet,
                              at::TensorOptions(at::kFloat));
    const at::Tensor got = net.forward(images).contiguous();
    const std::vector<float> wanted(expected.data_ptr<float>(),
                                    expected.data_ptr<float>() + expected.numel());
    CHECK(test::relative_difference({got.data_ptr<float>(), static_cast<std::size_t>(got.numel())}, wanted) <
          1e-5);
  }
}

}  // namespace dofa::engine
