// SPDX-License-Identifier: Apache-2.0
// As arithmetic.hpp, for kernels whose threads share a sum: each function gives one thread's part, whoever
// calls it adds the parts up (shuffles and shared memory on the GPU, a loop in a test). Stateless.
#pragma once

#include "daemon/engine/cuda/arithmetic.hpp"

namespace dofa::engine::cuda {

/// Mean over an image's pixels, [images][channels] floats.
template <class T>
struct PoolArgs {
  const T* in;
  Norm before;
  float* means;
  int images, channels, pixels;
};
/// The part of pixels start, start + step, …
template <class T>
DOFA_HD Floats pool_part(const PoolArgs<T>& a, int image, int c, int start, int step) {
  const T* from = a.in + static_cast<std::int64_t>(image) * a.pixels * a.channels + c;
  const bool raw = a.before.scale != nullptr;
  const Floats scale = raw ? load_pair(a.before.scale + c) : Floats{1, 1};
  const Floats bias = raw ? load_pair(a.before.bias + c) : Floats{0, 0};
  Floats sum{0, 0};
  for (int pixel = start; pixel < a.pixels; pixel += step) {
    Floats value = load_pair(from + static_cast<std::int64_t>(pixel) * a.channels);
    if (raw) value = normalised(value, scale, bias, a.before.act);
    sum.first += value.first;
    sum.second += value.second;
  }
  return sum;
}
template <class T>
DOFA_HD void pool_store(const PoolArgs<T>& a, int image, int c, Floats sum) {
  const float share = 1.0F / static_cast<float>(a.pixels);
  store_pair(a.means + image * a.channels + c, {sum.first * share, sum.second * share});
}

/// out = act(weights * in + bias), per image; W is the weights' type, vectors are float.
template <class W>
struct LinearArgs {
  const W* weights;   ///< rows of `stride` values, of which the first `inputs` count
  const float* bias;  ///< null: none
  const float* in;    ///< [images][inputs]
  float* out;         ///< [images][outputs]
  Act act;
  int images, inputs, outputs, stride;
};
/// The part of pairs start, start + step, … of one output's sum; `inputs` is even.
template <class W>
DOFA_HD float linear_part(const LinearArgs<W>& a, int image, int output, int start, int step) {
  const W* row = a.weights + static_cast<std::int64_t>(output) * a.stride;
  const float* in = a.in + static_cast<std::int64_t>(image) * a.inputs;
  float sum = 0;
  for (int pair = start; pair < a.inputs / 2; pair += step) {
    const Floats w = load_pair(row + 2 * pair);
    const Floats value = load_pair(in + 2 * pair);
    sum += w.first * value.first + w.second * value.second;
  }
  return sum;
}
template <class W>
DOFA_HD float linear_finish(const LinearArgs<W>& a, int output, float sum) {
  return activate(a.bias != nullptr ? sum + a.bias[output] : sum, a.act);
}

/// The second half of squeeze-and-excite: values *= hard_sigmoid(excite * squeezed + bias), in place. A gate
/// is computed by whoever needs it: as a LinearArgs without activation whose `out` is not written.
template <class T>
struct GateArgs {
  LinearArgs<T> excite;
  T* values;
  int pixels, channels;  ///< pixels of one image
};
template <class T>
DOFA_HD void gate_pixel(const GateArgs<T>& a, int image, int pixel, int c, Floats gate) {
  T* at = a.values + (static_cast<std::int64_t>(image) * a.pixels + pixel) * a.channels + c;
  const Floats value = load_pair(at);
  store_pair(at, {value.first * gate.first, value.second * gate.second});
}

}  // namespace dofa::engine::cuda
