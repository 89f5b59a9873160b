// SPDX-License-Identifier: Apache-2.0
// Compiles the kernels once per SIMD target and picks the best that the machine runs (or the cap allows).
// SSSE3 machines are gone. SVE's vectors have no size at compile time, so tiles of them can't be arrays; the
// SVE machines with 128-bit or 2 x 256-bit units do as many multiply-adds a cycle through NEON.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "daemon/engine/kernels/kernels.cpp"
#include <hwy/foreach_target.h>
// After foreach_target, as Highway asks.
#include <hwy/highway.h>

#include "daemon/engine/kernels/conv-inl.hpp"
#include "daemon/engine/kernels/depthwise-inl.hpp"
#include "daemon/engine/kernels/pointwise-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace dofa::engine::kernels::HWY_NAMESPACE {

const KernelTable* table() {
  static constexpr KernelTable kTable = {&pointwise, &depthwise,    &conv,       &linear,
                                         &gate,      &gate_weights, &copy_finite};
  return &kTable;
}

}  // namespace dofa::engine::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "daemon/engine/kernels/simd.hpp"
#include "daemon/engine/kernels/table.hpp"

namespace dofa::engine::kernels {

HWY_EXPORT(table);

const KernelTable& kernel_table() {
  return *HWY_DYNAMIC_DISPATCH(table)();
}

namespace {
/// Highway's bits of the targets that are compiled here, run on this machine and are allowed: the lower the
/// better.
std::int64_t usable_targets() {
  // Where there is one (ARM) there is nothing to ask: Highway 1.0.3 calls NEON unsupported on CPUs without
  // AES, which nothing here uses.
  if constexpr ((HWY_TARGETS & (HWY_TARGETS - 1)) == 0) return HWY_TARGETS;
  return hwy::SupportedTargets() & HWY_TARGETS;
}
}  // namespace

std::string simd_target() {
  const std::int64_t targets = usable_targets();
  return hwy::TargetName(targets & -targets);
}

std::vector<std::string> simd_targets() {
  std::vector<std::string> names;
  for (std::int64_t targets = usable_targets(); targets != 0; targets &= targets - 1)
    names.emplace_back(hwy::TargetName(targets & -targets));
  return names;
}

bool cap_simd_target(const std::string& name) {
  hwy::SetSupportedTargetsForTest(0);
  if (name.empty()) return true;
  for (std::int64_t targets = usable_targets(); targets != 0; targets &= targets - 1) {
    if (name != hwy::TargetName(targets & -targets)) continue;
    hwy::SetSupportedTargetsForTest(targets);
    return true;
  }
  return false;
}

}  // namespace dofa::engine::kernels
#endif  // HWY_ONCE
