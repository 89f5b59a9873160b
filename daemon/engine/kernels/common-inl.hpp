// SPDX-License-Identifier: Apache-2.0
// Per-target basics of the kernels: vectors of a channel block and the epilogue. Compiled once per SIMD
// target.
#if defined(DOFA_KERNELS_COMMON_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef DOFA_KERNELS_COMMON_INL_HPP
#undef DOFA_KERNELS_COMMON_INL_HPP
#else
#define DOFA_KERNELS_COMMON_INL_HPP
#endif

#include <hwy/highway.h>

#include "daemon/engine/kernels/table.hpp"

HWY_BEFORE_NAMESPACE();
namespace dofa::engine::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::CappedTag<float, kBlock>;
using Vec = hn::Vec<F32>;
inline constexpr int kLanes = static_cast<int>(hn::MaxLanes(F32()));
inline constexpr int kVecs = kBlock / kLanes;  ///< vectors in a block
/// Sums kept in registers: leaves room for weights and one input. 16 registers before AVX-512 on x86, 32
/// elsewhere. Sanitizers multiply the unrolled code, which then takes minutes and gigabytes to compile: they
/// get small tiles.
#ifdef DOFA_SMALL_TILES
inline constexpr int kSums = 4;
#else
inline constexpr int kSums = HWY_ARCH_X86 && kLanes < 16 ? 12 : 28;
#endif

HWY_INLINE Vec load(const float* p) {
  return hn::Load(F32(), p);
}
HWY_INLINE void store(Vec v, float* p) {
  hn::Store(v, F32(), p);
}
HWY_INLINE Vec set(float x) {
  return hn::Set(F32(), x);
}
HWY_INLINE Vec zero() {
  return hn::Zero(F32());
}

/// Keeps a value that several multiply-adds use in a register: GCC would rather load it anew as an operand of
/// each of them, and the load ports are as scarce as the multipliers.
HWY_INLINE Vec in_register(Vec v) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SCALAR
  asm("" : "+v"(v.raw));
#endif
  return v;
}

/// sum += a * b, in the register that the sum lives in. With 16 registers all taken GCC renames sums into
/// registers of dying factors and then spills others in the innermost loop, which costs a quarter of the
/// time.
HWY_INLINE void multiply_add(Vec a, Vec b, Vec& sum) {
#if HWY_TARGET == HWY_AVX2
  asm("vfmadd231ps %2, %1, %0" : "+x"(sum.raw) : "x"(a.raw), "x"(b.raw));
#else
  sum = hn::MulAdd(a, b, sum);
#endif
}

/// clamp(sum * scale + bias); with HardSwish the clamped value (of v / 6 + 1/2) times v.
template <bool kHardSwish>
struct Finish {
  Vec low, high;
  explicit HWY_INLINE Finish(const Epilogue& e)
      : low(set(kHardSwish ? 0.0f : e.low)), high(set(kHardSwish ? 1.0f : e.high)) {}
  HWY_INLINE Vec operator()(Vec sum, Vec scale, Vec bias) const {
    const Vec v = hn::MulAdd(sum, scale, bias);
    if constexpr (!kHardSwish) return hn::Min(hn::Max(v, low), high);
    const Vec gate = hn::Min(hn::Max(hn::MulAdd(v, set(1.0f / 6), set(0.5f)), low), high);
    return hn::Mul(v, gate);
  }
};

}  // namespace dofa::engine::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // DOFA_KERNELS_COMMON_INL_HPP
