// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/cuda/device.hpp"
#include "daemon/engine/cuda/kernels.hpp"

namespace dofa::engine::cuda {
namespace {

constexpr int kThreads = 128;  // small blocks: most layers have few threads, and a GPU many places for blocks
constexpr int kWarp = 32;

int blocks_for(int threads) {
  return (threads + kThreads - 1) / kThreads;
}
__device__ int thread_number() {
  return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
}

template <class T>
__global__ void __launch_bounds__(kThreads) stem_kernel(const StemArgs<T> args) {
  const int thread = thread_number();
  if (thread < args.threads()) stem_thread(args, thread);
}
template <int K, class T>
__global__ void __launch_bounds__(kThreads) depthwise_kernel(const DepthwiseArgs<T> args) {
  const int thread = thread_number();
  if (thread < args.threads()) depthwise_thread<K>(args, thread);
}
template <class T>
__global__ void __launch_bounds__(kThreads) project_kernel(const ProjectArgs<T> args) {
  const int thread = thread_number();
  if (thread < args.threads()) project_thread(args, thread);
}
__global__ void __launch_bounds__(kThreads) frame_kernel(const FrameArgs args) {
  const int thread = thread_number();
  if (thread < args.threads()) frame_thread(args, thread);
}

constexpr int kPoolRows = 8;  // groups of pixels a block adds up beside each other

/// Block (32, 8): 32 channel pairs times 8 parts of the pixels. Grid: channels, images.
template <class T>
__global__ void __launch_bounds__(kWarp* kPoolRows) pool_kernel(const PoolArgs<T> args) {
  __shared__ Floats parts[kPoolRows][kWarp];
  const int c = 2 * static_cast<int>(blockIdx.x * kWarp + threadIdx.x);
  const int image = static_cast<int>(blockIdx.y);
  const int row = static_cast<int>(threadIdx.y);
  Floats sum{0, 0};
  if (c < args.channels) sum = pool_part(args, image, c, row, kPoolRows);
  parts[row][threadIdx.x] = sum;
  __syncthreads();
  if (row != 0 || c >= args.channels) return;
  for (int other = 1; other < kPoolRows; ++other) {
    sum.first += parts[other][threadIdx.x].first;
    sum.second += parts[other][threadIdx.x].second;
  }
  pool_store(args, image, c, sum);
}

/// The sum over a warp, in every lane.
__device__ float warp_sum(float value) {
  for (int distance = kWarp / 2; distance > 0; distance /= 2)
    value += __shfl_xor_sync(0xFFFFFFFFU, value, distance);
  return value;
}

/// A warp an output. Grid: outputs, images.
template <class W>
__global__ void __launch_bounds__(kThreads) linear_kernel(const LinearArgs<W> args) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int output = thread_number() / kWarp;
  const int image = static_cast<int>(blockIdx.y);
  if (output >= args.outputs) return;  // the whole warp
  const float sum = warp_sum(linear_part(args, image, output, lane, kWarp));
  if (lane == 0) args.out[image * args.outputs + output] = linear_finish(args, output, sum);
}

constexpr int kGateChannels = 64;  // of one block: a warp of pairs
constexpr int kGateRows = 8;

/// Block (32, 8): first each warp works out eight of the block's 64 gates, then all apply them. Grid:
/// channels, parts of the pixels (each works the gates out anew: cheaper than another kernel), images.
template <class T>
__global__ void __launch_bounds__(kWarp* kGateRows) gate_kernel(const GateArgs<T> args) {
  __shared__ float gates[kGateChannels];
  const int lane = static_cast<int>(threadIdx.x), row = static_cast<int>(threadIdx.y);
  const int first = static_cast<int>(blockIdx.x) * kGateChannels;
  const int image = static_cast<int>(blockIdx.z);
  for (int i = row; i < kGateChannels && first + i < args.channels; i += kGateRows) {
    const float sum = warp_sum(linear_part(args.excite, image, first + i, lane, kWarp));
    if (lane == 0) gates[i] = hard_sigmoid(linear_finish(args.excite, first + i, sum));
  }
  __syncthreads();
  const int c = first + 2 * lane;
  if (c >= args.channels) return;
  const Floats gate{gates[2 * lane], gates[2 * lane + 1]};
  const int start = static_cast<int>(blockIdx.y) * kGateRows + row,
            step = static_cast<int>(gridDim.y) * kGateRows;
  for (int pixel = start; pixel < args.pixels; pixel += step) gate_pixel(args, image, pixel, c, gate);
}

void check_launch(const char* what) {
  check(cudaGetLastError(), what);
}
unsigned count(int value) {
  return static_cast<unsigned>(value);
}

}  // namespace

template <class T>
void launch(const StemArgs<T>& args, cudaStream_t stream) {
  stem_kernel<<<blocks_for(args.threads()), kThreads, 0, stream>>>(args);
  check_launch("the stem's kernel");
}

template <class T>
void launch(const DepthwiseArgs<T>& args, int kernel, cudaStream_t stream) {
  const int blocks = blocks_for(args.threads());
  if (kernel == 3)
    depthwise_kernel<3><<<blocks, kThreads, 0, stream>>>(args);
  else if (kernel == 5)
    depthwise_kernel<5><<<blocks, kThreads, 0, stream>>>(args);
  else
    depthwise_kernel<7><<<blocks, kThreads, 0, stream>>>(args);
  check_launch("a depthwise kernel");
}

template <class T>
void launch(const ProjectArgs<T>& args, cudaStream_t stream) {
  project_kernel<<<blocks_for(args.threads()), kThreads, 0, stream>>>(args);
  check_launch("a normalisation's kernel");
}

template <class T>
void launch(const PoolArgs<T>& args, cudaStream_t stream) {
  const dim3 grid(count((args.channels / 2 + kWarp - 1) / kWarp), count(args.images));
  pool_kernel<<<grid, dim3(kWarp, kPoolRows), 0, stream>>>(args);
  check_launch("a pooling kernel");
}

template <class W>
void launch(const LinearArgs<W>& args, cudaStream_t stream) {
  const dim3 grid(count(blocks_for(args.outputs * kWarp)), count(args.images));
  linear_kernel<<<grid, kThreads, 0, stream>>>(args);
  check_launch("a linear layer's kernel");
}

template <class T>
void launch(const GateArgs<T>& args, cudaStream_t stream) {
  constexpr int kPixelsABlock = 8 * kGateRows;
  const dim3 grid(count((args.channels + kGateChannels - 1) / kGateChannels),
                  count((args.pixels + kPixelsABlock - 1) / kPixelsABlock), count(args.excite.images));
  gate_kernel<<<grid, dim3(kWarp, kGateRows), 0, stream>>>(args);
  check_launch("a gate's kernel");
}

void launch(const FrameArgs& args, cudaStream_t stream) {
  frame_kernel<<<blocks_for(args.threads()), kThreads, 0, stream>>>(args);
  check_launch("the preprocessing kernel");
}

#define DOFA_INSTANTIATE(T)                                         \
  template void launch(const StemArgs<T>&, cudaStream_t);           \
  template void launch(const DepthwiseArgs<T>&, int, cudaStream_t); \
  template void launch(const ProjectArgs<T>&, cudaStream_t);        \
  template void launch(const PoolArgs<T>&, cudaStream_t);           \
  template void launch(const LinearArgs<T>&, cudaStream_t);         \
  template void launch(const GateArgs<T>&, cudaStream_t);
DOFA_INSTANTIATE(__half)
DOFA_INSTANTIATE(float)

}  // namespace dofa::engine::cuda
