// SPDX-License-Identifier: Apache-2.0
// Which SIMD instructions the kernels use on this machine, and the floating-point mode their threads run in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dofa::engine::kernels {

/// Name of the target in use, e.g. "AVX3" (AVX-512), "AVX2", "NEON", "EMU128" (portable).
[[nodiscard]] std::string simd_target();

/// Every target that this machine can run and the cap allows, best first.
[[nodiscard]] std::vector<std::string> simd_targets();

/// Uses no target better than `name` from now on (empty: no cap). For tests and measurements only: not
/// thread-safe. False, and no cap at all, where the machine can't run it.
[[nodiscard]] bool cap_simd_target(const std::string& name);

/// While alive, this thread treats denormal numbers as zero: they are worth nothing here and cost hundreds of
/// cycles each. Restores the former mode when destroyed; to be destroyed on the thread that made it.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  std::uint64_t saved_ = 0;
};

}  // namespace dofa::engine::kernels
