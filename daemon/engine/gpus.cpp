// SPDX-License-Identifier: Apache-2.0
// The answers of a build without CUDA; with it daemon/engine/cuda/ has others.
#include "daemon/engine/gpus.hpp"

#include "daemon/engine/ofa_gpu.hpp"

namespace dofa::engine {

std::vector<Gpu> find_gpus() {
  return {};
}

std::shared_ptr<const OfaGpu> make_ofa_gpu(const std::shared_ptr<const OfaModel>&, const GpuOptions&) {
  return nullptr;
}

Result<std::shared_ptr<const OfaBackend>> make_ofa_gpu_backend(const std::shared_ptr<const OfaModel>&,
                                                               const GpuOptions&) {
  return Error{ErrorCode::kNotSupported, "this build has no CUDA"};
}

std::optional<std::uint64_t> free_gpu_memory(const std::string&) {
  return std::nullopt;
}

}  // namespace dofa::engine
