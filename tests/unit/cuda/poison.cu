// SPDX-License-Identifier: Apache-2.0
// A kernel that writes where nobody may: the process's context on the GPU is broken from then on, as by a
// real fault.
#include <cuda_runtime_api.h>

namespace {
__global__ void write_to(int* address) {
  *address = 1;
}
}  // namespace

bool poison_gpu() {
  write_to<<<1, 1>>>(reinterpret_cast<int*>(8));
  return cudaDeviceSynchronize() != cudaSuccess;
}
