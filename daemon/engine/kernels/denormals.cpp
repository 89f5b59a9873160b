// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/kernels/simd.hpp"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace dofa::engine::kernels {
namespace {
#if defined(__x86_64__)
constexpr std::uint64_t kFlush = 0x8040;  // MXCSR: flush to zero, denormals are zero
std::uint64_t mode() {
  return _mm_getcsr();
}
void set_mode(std::uint64_t value) {
  _mm_setcsr(static_cast<unsigned>(value));
}
#elif defined(__aarch64__)
constexpr std::uint64_t kFlush = std::uint64_t{1} << 24;  // FPCR.FZ
std::uint64_t mode() {
  std::uint64_t value;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
void set_mode(std::uint64_t value) {
  asm volatile("msr fpcr, %0" : : "r"(value));
}
#else
constexpr std::uint64_t kFlush = 0;  // no such mode, or none that we know
std::uint64_t mode() {
  return 0;
}
void set_mode(std::uint64_t) {}
#endif
}  // namespace

FlushDenormals::FlushDenormals() : saved_(mode()) {
  set_mode(saved_ | kFlush);
}
FlushDenormals::~FlushDenormals() {
  set_mode(saved_);
}

}  // namespace dofa::engine::kernels
