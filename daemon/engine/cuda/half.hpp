// SPDX-License-Identifier: Apache-2.0
// Half precision for arithmetic.hpp, on the GPU and on the host. Stateless.
#pragma once

#include <cuda_fp16.h>

#include "daemon/engine/cuda/arithmetic.hpp"

namespace dofa::engine::cuda {

template <>
struct Stored<__half> {
  static DOFA_HD float load(__half value) { return __half2float(value); }
  static DOFA_HD __half store(float value) { return __float2half(value); }
};

}  // namespace dofa::engine::cuda
