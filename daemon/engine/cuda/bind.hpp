// SPDX-License-Identifier: Apache-2.0
// A plan's steps with addresses: which memory each kernel reads and writes for a batch. The same for a GPU's
// memory and for a test's. Borrowed pointers only; stateless.
#pragma once

#include "daemon/engine/cuda/layer_threads.hpp"
#include "daemon/engine/cuda/plan.hpp"
#include "daemon/engine/cuda/reductions.hpp"

namespace dofa::engine::cuda {

/// Where the places lie in one allocation for batches of up to max_batch images.
struct Arena {
  std::array<std::size_t, kPlaces> offsets{};  ///< bytes
  std::size_t bytes = 0;

  static Arena make(const Plan& plan, std::size_t value_bytes, std::size_t max_batch) {
    constexpr std::size_t kAlignBytes = 256;
    Arena arena;
    for (std::size_t i = 0; i < kPlaces; ++i) {
      arena.offsets[i] = arena.bytes;
      const std::size_t each = i < kFirstVector ? value_bytes : sizeof(float);
      arena.bytes +=
          (plan.place_values()[i] * max_batch * each + kAlignBytes - 1) / kAlignBytes * kAlignBytes;
    }
    return arena;
  }
};

/// A GEMM in the words of the library: out [rows][outputs] = scaling * in [rows][inputs] * weights^T.
template <class T>
struct GemmArgs {
  const T* in;
  const T* weights;
  T* out;
  int rows, inputs, outputs, stride;
  float scaling;
};

template <class T>
class Binder {
 public:
  Binder(const T* weights, const float* parameters, const float* input, std::byte* arena, const Arena& layout,
         int images)
      : weights_(weights),
        parameters_(parameters),
        input_(input),
        arena_(arena),
        layout_(layout),
        images_(images) {}

  StemArgs<T> operator()(const StemStep& s) const {
    return {input_,       parameters_ + s.weights,
            norm(s.norm), values(Place::kEven),
            images_,      s.channels,
            s.side_in,    s.side_out,
            s.stride};
  }
  GemmArgs<T> operator()(const GemmStep& s) const {
    return {values(s.from),   weights_ + s.weights.offset, values(s.to),     images_ * s.pixels,
            s.weights.inputs, s.weights.outputs,           s.weights.stride, s.scaling};
  }
  DepthwiseArgs<T> operator()(const DepthwiseStep& s) const {
    return {values(s.from), weights_ + s.weights, norm(s.before),    norm(s.norm), values(Place::kFiltered),
            images_,        s.channels,           s.weight_channels, s.side_in,    s.side_out,
            s.stride};
  }
  PoolArgs<T> operator()(const PoolStep& s) const {
    return {values(s.from), norm(s.before), floats(Place::kMeans), images_, s.channels, s.pixels};
  }
  LinearArgs<T> stored(const LinearStep& s) const { return linear(s, weights_); }
  LinearArgs<float> exact(const LinearStep& s) const { return linear(s, parameters_); }
  GateArgs<T> operator()(const GateStep& s) const {
    return {{weights_ + s.weights.offset, parameters_ + s.bias, floats(Place::kSqueezed), nullptr, Act::kNone,
             images_, s.weights.inputs, s.weights.outputs, s.weights.stride},
            values(Place::kFiltered),
            s.pixels,
            s.weights.outputs};
  }
  ProjectArgs<T> operator()(const ProjectStep& s) const {
    return {values(s.values), s.shortcut ? values(*s.shortcut) : nullptr, norm(s.norm), images_ * s.pixels,
            s.channels};
  }
  [[nodiscard]] float* logits() const { return floats(Place::kLogits); }

 private:
  [[nodiscard]] std::byte* at(Place place) const {
    return arena_ + layout_.offsets[static_cast<std::size_t>(place)];
  }
  [[nodiscard]] T* values(Place place) const { return reinterpret_cast<T*>(at(place)); }
  [[nodiscard]] float* floats(Place place) const { return reinterpret_cast<float*>(at(place)); }
  [[nodiscard]] Norm norm(const NormStep& s) const {
    return {parameters_ + s.scale, parameters_ + s.bias, s.act};
  }
  [[nodiscard]] Norm norm(const std::optional<NormStep>& s) const {
    return s ? norm(*s) : Norm{nullptr, nullptr, Act::kNone};
  }
  template <class W>
  LinearArgs<W> linear(const LinearStep& s, const W* base) const {
    return {base + s.weights.offset,
            s.bias ? parameters_ + *s.bias : nullptr,
            floats(s.from),
            floats(s.to),
            s.act,
            images_,
            s.weights.inputs,
            s.weights.outputs,
            s.weights.stride};
  }

  const T* weights_;
  const float* parameters_;
  const float* input_;
  std::byte* arena_;
  const Arena& layout_;
  int images_;
};

}  // namespace dofa::engine::cuda
