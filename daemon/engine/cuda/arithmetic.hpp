// SPDX-License-Identifier: Apache-2.0
// What one GPU thread computes, written so that a plain compiler takes it too: the index arithmetic and the
// sums of every kernel are functions of the thread's number, which a kernel calls once a thread and a test
// calls in a loop on the CPU. Activations are NHWC of type T (half or float), a thread takes two neighbouring
// channels; sums are float. Stateless.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define DOFA_HD __host__ __device__ __forceinline__
#else
#define DOFA_HD inline
#endif

namespace dofa::engine::cuda {

enum class Act : std::uint8_t { kNone, kRelu, kHardSwish };

/// How a stored number becomes a float and back; half has its own where half is known.
template <class T>
struct Stored {
  static DOFA_HD float load(T value) { return static_cast<float>(value); }
  static DOFA_HD T store(float value) { return static_cast<T>(value); }
};

template <class T>
struct alignas(2 * sizeof(T)) Pair {
  T first, second;
};
struct Floats {
  float first, second;
};
template <class T>
DOFA_HD Floats load_pair(const T* from) {
  const Pair<T> pair = *reinterpret_cast<const Pair<T>*>(from);  // one access of twice the width
  return {Stored<T>::load(pair.first), Stored<T>::load(pair.second)};
}
template <class T>
DOFA_HD void store_pair(T* to, Floats value) {
  *reinterpret_cast<Pair<T>*>(to) = {Stored<T>::store(value.first), Stored<T>::store(value.second)};
}

DOFA_HD float clamp(float x, float low, float high) {
  return x < low ? low : (x > high ? high : x);
}  // keeps NaN
DOFA_HD float hard_sigmoid(float x) {
  return clamp(x + 3.0F, 0.0F, 6.0F) * (1.0F / 6.0F);
}
DOFA_HD float activate(float x, Act act) {
  if (act == Act::kRelu) return x < 0.0F ? 0.0F : x;
  return act == Act::kHardSwish ? x * hard_sigmoid(x) : x;
}

/// Folded batch normalisation and what follows it. Without scale: the values are finished already.
struct Norm {
  const float* scale;
  const float* bias;
  Act act;
};
DOFA_HD Floats normalised(Floats x, Floats scale, Floats bias, Act act) {
  return {activate(scale.first * x.first + bias.first, act),
          activate(scale.second * x.second + bias.second, act)};
}

}  // namespace dofa::engine::cuda
