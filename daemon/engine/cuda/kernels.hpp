// SPDX-License-Identifier: Apache-2.0
// Our kernels: each launch() puts one on a stream and throws Fault where the launch is refused; what fails
// while it runs shows at the next wait. T, W: __half or float. Stateless; thread-safe.
#pragma once

#include <cuda_runtime_api.h>

#include "daemon/engine/cuda/frame_arithmetic.hpp"
#include "daemon/engine/cuda/half.hpp"
#include "daemon/engine/cuda/layer_threads.hpp"
#include "daemon/engine/cuda/reductions.hpp"

namespace dofa::engine::cuda {

template <class T>
void launch(const StemArgs<T>& args, cudaStream_t stream);
/// `kernel`: 3, 5 or 7.
template <class T>
void launch(const DepthwiseArgs<T>& args, int kernel, cudaStream_t stream);
template <class T>
void launch(const ProjectArgs<T>& args, cudaStream_t stream);
template <class T>
void launch(const PoolArgs<T>& args, cudaStream_t stream);
template <class W>
void launch(const LinearArgs<W>& args, cudaStream_t stream);
template <class T>
void launch(const GateArgs<T>& args, cudaStream_t stream);
void launch(const FrameArgs& args, cudaStream_t stream);

}  // namespace dofa::engine::cuda
