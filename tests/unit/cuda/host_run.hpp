// SPDX-License-Identifier: Apache-2.0
// Runs a GPU's plan on the CPU: the kernels' thread functions in loops, the library's GEMMs written out. What
// is left for a real GPU to prove are launches, shuffles and cuBLASLt.
#pragma once

#include <type_traits>

#include "daemon/engine/cuda/bind.hpp"

namespace dofa::engine::cuda::test {

template <class T>
class HostRun {
 public:
  HostRun(const Plan& plan, int max_batch)
      : plan_(plan), layout_(Arena::make(plan, sizeof(T), static_cast<std::size_t>(max_batch))) {
    for (const float weight : plan.weights()) weights_.push_back(Stored<T>::store(weight));
    arena_.resize(layout_.bytes / sizeof(std::max_align_t) + 1);
  }

  /// `input`: images x 3 x r x r. Logits, images x classes.
  std::vector<float> run(std::size_t level, int images, const std::vector<float>& input) {
    const Binder<T> bind(weights_.data(), plan_.parameters().data(), input.data(),
                         reinterpret_cast<std::byte*>(arena_.data()), layout_, images);
    for (const Step& step : plan_.levels()[level].steps)
      std::visit([&](const auto& s) { run_step(bind, s); }, step);
    return {bind.logits(), bind.logits() + static_cast<std::size_t>(images) * plan_.classes()};
  }
  /// Largest magnitude that a GEMM stored.
  [[nodiscard]] float reach() const { return reach_; }

 private:
  static constexpr int kLanes = 32;

  static void run_step(const Binder<T>& bind, const StemStep& s) {
    const auto args = bind(s);
    for (int thread = 0; thread < args.threads(); ++thread) stem_thread(args, thread);
  }
  static void run_step(const Binder<T>& bind, const DepthwiseStep& s) {
    const auto args = bind(s);
    for (int thread = 0; thread < args.threads(); ++thread) {
      if (s.kernel == 3) depthwise_thread<3>(args, thread);
      if (s.kernel == 5) depthwise_thread<5>(args, thread);
      if (s.kernel == 7) depthwise_thread<7>(args, thread);
    }
  }
  static void run_step(const Binder<T>& bind, const ProjectStep& s) {
    const auto args = bind(s);
    for (int thread = 0; thread < args.threads(); ++thread) project_thread(args, thread);
  }
  void run_step(const Binder<T>& bind, const GemmStep& s) {
    const GemmArgs<T> args = bind(s);
    const auto inputs = static_cast<std::size_t>(args.inputs);
    std::vector<float> weights, row(inputs);
    for (int o = 0; o < args.outputs; ++o)
      for (std::size_t i = 0; i < inputs; ++i)
        weights.push_back(Stored<T>::load(
            args.weights[static_cast<std::size_t>(o) * static_cast<std::size_t>(args.stride) + i]));
    for (int r = 0; r < args.rows; ++r) {
      for (std::size_t i = 0; i < inputs; ++i)
        row[i] = Stored<T>::load(args.in[static_cast<std::size_t>(r) * inputs + i]);
      for (int o = 0; o < args.outputs; ++o) {
        float sum = 0;
        for (std::size_t i = 0; i < inputs; ++i)
          sum += row[i] * weights[static_cast<std::size_t>(o) * inputs + i];
        reach_ = std::max(reach_, std::abs(sum * args.scaling));
        args.out[static_cast<std::size_t>(r) * static_cast<std::size_t>(args.outputs) +
                 static_cast<std::size_t>(o)] = Stored<T>::store(sum * args.scaling);
      }
    }
  }
  static void run_step(const Binder<T>& bind, const PoolStep& s) {
    const auto args = bind(s);
    for (int image = 0; image < args.images; ++image) {
      for (int c = 0; c < args.channels; c += 2) {
        Floats sum{0, 0};
        for (int part = 0; part < 8; ++part) {
          const Floats more = pool_part(args, image, c, part, 8);
          sum = {sum.first + more.first, sum.second + more.second};
        }
        pool_store(args, image, c, sum);
      }
    }
  }
  template <class W>
  static float linear(const LinearArgs<W>& args, int image, int output) {
    float sum = 0;
    for (int lane = 0; lane < kLanes; ++lane) sum += linear_part(args, image, output, lane, kLanes);
    return linear_finish(args, output, sum);
  }
  template <class W>
  static void run_linear(const LinearArgs<W>& args) {
    for (int image = 0; image < args.images; ++image)
      for (int output = 0; output < args.outputs; ++output)
        args.out[image * args.outputs + output] = linear(args, image, output);
  }
  static void run_step(const Binder<T>& bind, const LinearStep& s) {
    if (s.exact)
      run_linear(bind.exact(s));
    else
      run_linear(bind.stored(s));
  }
  static void run_step(const Binder<T>& bind, const GateStep& s) {
    const auto args = bind(s);
    for (int image = 0; image < args.excite.images; ++image) {
      for (int c = 0; c < args.channels; c += 2) {
        const Floats gate{hard_sigmoid(linear(args.excite, image, c)),
                          hard_sigmoid(linear(args.excite, image, c + 1))};
        for (int pixel = 0; pixel < args.pixels; ++pixel) gate_pixel(args, image, pixel, c, gate);
      }
    }
  }

  const Plan& plan_;
  Arena layout_;
  std::vector<T> weights_;
  std::vector<std::max_align_t> arena_;
  float reach_ = 0;
};

}  // namespace dofa::engine::cuda::test
