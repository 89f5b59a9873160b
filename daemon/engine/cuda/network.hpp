// SPDX-License-Identifier: Apache-2.0
// A family's levels on one GPU. SharedModel: weights and statistics in its memory, immutable, shared between
// lanes. Network: what one lane needs beside them, a stream, buffers and one captured graph for each level
// and batch size; it belongs to one thread at a time. All graphs work in the same buffers, since a stream
// runs one at a time: a family costs the memory of its largest level. Choosing another level is launching
// another graph. Functions throw Fault.
#pragma once

#include <array>
#include <chrono>
#include <span>
#include <vector>

#include "daemon/engine/cuda/gemm.hpp"
#include "daemon/engine/ofa_gpu.hpp"

namespace dofa::engine::cuda {

class SharedModel {
 public:
  SharedModel(const OfaModel& model, int device, GpuOptions options);

  [[nodiscard]] const Plan& plan() const { return plan_; }
  [[nodiscard]] int device() const { return device_; }
  [[nodiscard]] std::uint32_t max_batch() const { return max_batch_; }
  [[nodiscard]] bool half() const { return half_; }
  [[nodiscard]] std::size_t value_bytes() const { return half_ ? 2 : 4; }
  [[nodiscard]] const DeviceBuffer& weights() const { return weights_; }
  [[nodiscard]] const DeviceBuffer& parameters() const { return parameters_; }
  [[nodiscard]] const std::shared_ptr<GemmChoices>& gemm_choices() const { return choices_; }

 private:
  int device_;
  bool half_;
  std::uint32_t max_batch_;
  Plan plan_;
  DeviceBuffer weights_, parameters_;
  std::shared_ptr<GemmChoices> choices_ = std::make_shared<GemmChoices>();
};

/// Waits for a stream: spinning at first, for a sleeping thread is woken some 50 us late, as long as a small
/// network takes; then sleeping, for whoever is not done by then shares the GPU, and the core is worth more
/// to the applications.
class Waiter {
 public:
  void wait(cudaStream_t stream, const char* doing);

 private:
  static constexpr std::chrono::microseconds kSpin{2000};
  Event event_ = make_event();
};

class Network {
 public:
  /// Captures every graph and runs it once.
  explicit Network(std::shared_ptr<const SharedModel> model);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  [[nodiscard]] const SharedModel& model() const { return *model_; }
  [[nodiscard]] cudaStream_t stream() const { return stream_.get(); }
  /// Where image `slot` of the next batch goes: planes of floats, in the GPU's memory.
  [[nodiscard]] float* input(std::uint32_t slot, std::uint32_t level) const;
  /// Runs on the first `count` images. Logits, count x classes, valid until the next run.
  std::span<const float> run(std::uint32_t level, std::uint32_t count);
  void wait(const char* doing) { waiter_.wait(stream(), doing); }
  /// Makes this lane's GPU the calling thread's.
  void use() const;

 private:
  static constexpr std::array<std::uint32_t, 4> kBatches{1, 2, 4, 8};

  template <class T>
  void enqueue_steps(const LevelPlan& level, int images);
  void enqueue(std::uint32_t level, std::uint32_t images);
  GraphExec capture(std::uint32_t level, std::uint32_t images);

  std::shared_ptr<const SharedModel> model_;
  Arena layout_;
  Stream stream_;
  Waiter waiter_;
  Gemms gemms_;
  DeviceBuffer input_, arena_;
  PinnedBuffer logits_;
  std::vector<std::vector<GraphExec>> graphs_;  ///< by level, then batch size
};

}  // namespace dofa::engine::cuda
