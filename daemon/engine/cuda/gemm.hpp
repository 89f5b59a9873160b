// SPDX-License-Identifier: Apache-2.0
// Pointwise convolutions through cuBLASLt, straight on corners of the shared weights. The fastest algorithm
// for a shape is found once by trying (all levels and lanes of a family share what was found). GemmChoices
// may be shared between threads; a Gemms object belongs to one stream.
#pragma once

#include <cublasLt.h>

#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "daemon/engine/cuda/bind.hpp"
#include "daemon/engine/cuda/device.hpp"

namespace dofa::engine::cuda {

/// rows, inputs, outputs, stride of the weights, whether half.
using GemmShape = std::tuple<int, int, int, int, bool>;

class GemmChoices {
 public:
  std::optional<cublasLtMatmulAlgo_t> find(const GemmShape& shape) const;
  void keep(const GemmShape& shape, const cublasLtMatmulAlgo_t& algorithm);

 private:
  mutable std::mutex mutex_;
  std::map<GemmShape, cublasLtMatmulAlgo_t> found_;
};

class Gemms {
 public:
  explicit Gemms(std::shared_ptr<GemmChoices> choices);

  /// Puts one on the stream. Not for captures where the shape is new: choosing waits for the stream.
  template <class T>
  void launch(const GemmArgs<T>& args, cudaStream_t stream);

 private:
  struct Problem;
  cublasLtMatmulAlgo_t choose(const Problem& problem, cudaStream_t stream) const;
  cublasStatus_t run(const Problem& problem, const cublasLtMatmulAlgo_t& algorithm,
                     cudaStream_t stream) const;

  struct Destroy {
    void operator()(cublasLtHandle_t handle) const { cublasLtDestroy(handle); }
  };
  std::shared_ptr<GemmChoices> choices_;
  std::unique_ptr<std::remove_pointer_t<cublasLtHandle_t>, Destroy> handle_;
  DeviceBuffer workspace_;
};

}  // namespace dofa::engine::cuda
