// SPDX-License-Identifier: Apache-2.0
// The seam to the GPU for ofa-mobilenetv3 families, free of CUDA: daemon/engine/cuda/ fills it, gpus.cpp
// where the build has no CUDA. An OfaGpu keeps the model in host memory, puts it on a GPU with the first
// runner there, and is shared between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "daemon/base.hpp"
#include "daemon/engine/family.hpp"
#include "daemon/engine/ofa_model.hpp"

namespace dofa::engine {

struct GpuOptions {
  GpuPrecision precision = GpuPrecision::kHalf;
  std::uint32_t max_batch = 8;  ///< 1, 2, 4 or 8
};

class OfaGpu {
 public:
  virtual ~OfaGpu() = default;
  OfaGpu() = default;
  OfaGpu(const OfaGpu&) = delete;
  OfaGpu& operator=(const OfaGpu&) = delete;

  /// As Family::make_runner_on().
  [[nodiscard]] virtual Result<std::unique_ptr<Runner>> make_runner(std::shared_ptr<const Family> self,
                                                                    const std::string& processor) const = 0;
};

/// Null where there is no GPU: then nobody need keep the model.
std::shared_ptr<const OfaGpu> make_ofa_gpu(const std::shared_ptr<const OfaModel>& model,
                                           const GpuOptions& options = {});

/// The model on the first GPU behind the backends' interface, for comparisons: inputs come from and answers
/// go to host memory. kNotSupported where there is no GPU.
Result<std::shared_ptr<const OfaBackend>> make_ofa_gpu_backend(const std::shared_ptr<const OfaModel>& model,
                                                               const GpuOptions& options);

/// Free bytes of a GPU's memory; nothing where it does not tell.
std::optional<std::uint64_t> free_gpu_memory(const std::string& processor);

}  // namespace dofa::engine
