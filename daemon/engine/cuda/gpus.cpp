// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/gpus.hpp"

#include <array>

#include "daemon/engine/cuda/device.hpp"
#include "daemon/engine/ofa_gpu.hpp"

namespace dofa::engine {
namespace {

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

std::vector<Gpu> find_gpus() {
  int count = 0;
  std::vector<Gpu> gpus;
  if (cudaGetDeviceCount(&count) != cudaSuccess) count = 0;  // no driver, an older one, or no GPU
  int driver = 0, runtime = 0;
  (void)cudaDriverGetVersion(&driver);
  (void)cudaRuntimeGetVersion(&runtime);
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, i) != cudaSuccess) continue;
    Gpu gpu{"cuda:" + std::to_string(i),
            properties.name,
            "driver " + version_text(driver) + ", runtime " + version_text(runtime),
            {},
            properties.totalGlobalMem};
    std::array<char, 32> address{};
    if (cudaDeviceGetPCIBusId(address.data(), static_cast<int>(address.size()), i) == cudaSuccess)
      gpu.pci_address = address.data();
    gpus.push_back(std::move(gpu));
  }
  (void)cudaGetLastError();
  return gpus;
}

std::optional<std::uint64_t> free_gpu_memory(const std::string& processor) {
  const int device = cuda::device_index(processor);
  std::size_t free = 0, total = 0;
  const bool known =
      device >= 0 && cudaSetDevice(device) == cudaSuccess && cudaMemGetInfo(&free, &total) == cudaSuccess;
  (void)cudaGetLastError();
  return known ? std::optional<std::uint64_t>(free) : std::nullopt;
}

}  // namespace dofa::engine
