// SPDX-License-Identifier: Apache-2.0
// Compiled with CUDA only; see no_graphed.cpp.
#include <ATen/ATen.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "tests/bench/cuda/eager.hpp"
#include "tests/bench/engine/options.hpp"

namespace dofa::bench {

std::vector<double> time_graphed(const EagerNet& net, const at::Tensor& image, int runs) {
  const c10::InferenceMode no_gradients;
  const c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool();  // the default one cannot be captured
  const c10::cuda::CUDAStreamGuard guard(stream);
  for (int i = 0; i < 3; ++i) (void)net.forward(image);
  stream.synchronize();
  at::cuda::CUDAGraph graph;
  graph.capture_begin();
  const at::Tensor logits = net.forward(image);
  graph.capture_end();
  std::vector<double> ms;
  for (int i = 0; i < runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    graph.replay();
    (void)logits.cpu();
    ms.push_back(milliseconds_since(start));
  }
  return ms;
}

}  // namespace dofa::bench
