// SPDX-License-Identifier: Apache-2.0
// Layers whose outputs are independent of each other: one call a thread computes a pixel's channel pair, as
// arithmetic.hpp says. Stateless.
#pragma once

#include "daemon/engine/cuda/arithmetic.hpp"

namespace dofa::engine::cuda {

/// 3x3 over the planar float image [n][3][side_in][side_in]; padding 1. A thread: an output pixel's channel
/// pair.
template <class T>
struct StemArgs {
  const float* input;
  const float* weights;  ///< [3 inputs][3][3][channels]
  Norm norm;
  T* out;
  int images, channels, side_in, side_out, stride;
  DOFA_HD int threads() const { return images * side_out * side_out * (channels / 2); }
};
template <class T>
DOFA_HD void stem_thread(const StemArgs<T>& a, int thread) {
  const int pairs = a.channels / 2;
  const int c = 2 * (thread % pairs);
  const int pixel = thread / pairs;  // of all images
  const int x = pixel % a.side_out, y = pixel / a.side_out % a.side_out,
            image = pixel / (a.side_out * a.side_out);
  Floats sum{0, 0};
  for (int plane = 0; plane < 3; ++plane) {
    const float* from = a.input + (static_cast<std::int64_t>(image) * 3 + plane) * a.side_in * a.side_in;
    for (int ky = 0; ky < 3; ++ky) {
      const int iy = y * a.stride + ky - 1;
      if (iy < 0 || iy >= a.side_in) continue;
      for (int kx = 0; kx < 3; ++kx) {
        const int ix = x * a.stride + kx - 1;
        if (ix < 0 || ix >= a.side_in) continue;
        const float value = from[iy * a.side_in + ix];
        const Floats w = load_pair(a.weights + ((plane * 3 + ky) * 3 + kx) * a.channels + c);
        sum.first += value * w.first;
        sum.second += value * w.second;
      }
    }
  }
  const Floats result = normalised(sum, load_pair(a.norm.scale + c), load_pair(a.norm.bias + c), a.norm.act);
  store_pair(a.out + static_cast<std::int64_t>(pixel) * a.channels + c, result);
}

/// K x K depthwise, padding K/2. The normalisation of the 1x1 before it happens on the way in, its own on the
/// way out.
template <class T>
struct DepthwiseArgs {
  const T* in;
  const T* weights;  ///< [K][K][weight_channels]
  Norm before, norm;
  T* out;
  int images, channels, weight_channels, side_in, side_out, stride;
  DOFA_HD int threads() const { return images * side_out * side_out * (channels / 2); }
};
template <int K, class T>
DOFA_HD void depthwise_thread(const DepthwiseArgs<T>& a, int thread) {
  const int pairs = a.channels / 2;
  const int c = 2 * (thread % pairs);
  const int pixel = thread / pairs;
  const int x = pixel % a.side_out, y = pixel / a.side_out % a.side_out,
            image = pixel / (a.side_out * a.side_out);
  const T* from = a.in + static_cast<std::int64_t>(image) * a.side_in * a.side_in * a.channels + c;
  const bool raw = a.before.scale != nullptr;
  const Floats scale = raw ? load_pair(a.before.scale + c) : Floats{1, 1};
  const Floats bias = raw ? load_pair(a.before.bias + c) : Floats{0, 0};
  Floats sum{0, 0};
  for (int ky = 0; ky < K; ++ky) {
    const int iy = y * a.stride + ky - K / 2;
    if (iy < 0 || iy >= a.side_in) continue;
#ifdef __CUDA_ARCH__
#pragma unroll
#endif
    for (int kx = 0; kx < K; ++kx) {
      const int ix = x * a.stride + kx - K / 2;
      if (ix < 0 || ix >= a.side_in) continue;  // padding is zero behind the normalisation, not before it
      Floats value = load_pair(from + static_cast<std::int64_t>(iy * a.side_in + ix) * a.channels);
      if (raw) value = normalised(value, scale, bias, a.before.act);
      const Floats w = load_pair(a.weights + (ky * K + kx) * a.weight_channels + c);
      sum.first += value.first * w.first;
      sum.second += value.second * w.second;
    }
  }
  const Floats result = normalised(sum, load_pair(a.norm.scale + c), load_pair(a.norm.bias + c), a.norm.act);
  store_pair(a.out + static_cast<std::int64_t>(pixel) * a.channels + c, result);
}

/// Normalisation of the projecting 1x1 in place, and the shortcut. A thread: a pixel's channel pair.
template <class T>
struct ProjectArgs {
  T* values;
  const T* shortcut;  ///< null: none
  Norm norm;
  int pixels, channels;  ///< of all images
  DOFA_HD int threads() const { return pixels * (channels / 2); }
};
template <class T>
DOFA_HD void project_thread(const ProjectArgs<T>& a, int thread) {
  const int c = 2 * (thread % (a.channels / 2));
  T* at = a.values + 2 * static_cast<std::int64_t>(thread);
  Floats value =
      normalised(load_pair(at), load_pair(a.norm.scale + c), load_pair(a.norm.bias + c), a.norm.act);
  if (a.shortcut != nullptr) {
    const Floats more = load_pair(a.shortcut + 2 * static_cast<std::int64_t>(thread));
    value = {value.first + more.first, value.second + more.second};
  }
  store_pair(at, value);
}

}  // namespace dofa::engine::cuda
