// SPDX-License-Identifier: Apache-2.0
// What a run of a plan is made of; private to this room. Steps of whole layers are in run.cpp, the rows of a
// block in block_rows.cpp. One StepRunner serves one run; its methods that take a worker are called from
// several threads at a time.
#pragma once

#include <atomic>
#include <chrono>

#include "daemon/engine/kernels/run.hpp"
#include "daemon/engine/kernels/table.hpp"

namespace dofa::engine::kernels {

/// Adds the time until it is destroyed to a kind; does nothing without a Timing.
class Stopwatch {
 public:
  Stopwatch(Timing* timing, Timing::Kind kind, std::int64_t macs) : timing_(timing), kind_(kind) {
    if (timing_ == nullptr) return;
    timing_->kinds[kind].macs += macs;
    start_ = std::chrono::steady_clock::now();
  }
  ~Stopwatch() {
    if (timing_ == nullptr) return;
    const auto elapsed = std::chrono::steady_clock::now() - start_;
    timing_->kinds[kind_].ns += std::chrono::duration_cast<std::chrono::nanoseconds>(elapsed).count();
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  Timing* timing_;
  Timing::Kind kind_;
  std::chrono::steady_clock::time_point start_;
};

/// One run of one plan, step by step. A step reads input() and writes output(), the arena's two feature maps
/// in turn.
class StepRunner {
 public:
  StepRunner(Arena& arena, const float* image, Team& team, Timing* timing)
      : arena_(arena), image_(image), team_(team), timing_(timing), kernels_(kernel_table()) {
    for (Arena::Worker& worker : arena_.workers) worker.padded = nullptr;
  }

  void operator()(const BlockStep& step);
  void operator()(const PointwiseStep& step);
  void operator()(const LinearStep& step);

  [[nodiscard]] bool finite() const { return finite_.load(std::memory_order_relaxed); }
  [[nodiscard]] const float* vector() const { return arena_.vectors[vector_]; }

 private:
  const float* input() const { return arena_.features[current_]; }
  float* output() { return arena_.features[1 - current_]; }

  Arena::Worker& prepare(const BlockStep& step, int worker);
  void produce(const BlockStep& step, Arena::Worker& own, int block, int blocks, float* ring, int first_row,
               int last_row);
  void produce_conv(const BlockStep& step, Arena::Worker& own, float* ring, int first_row, int last_row);
  void fetch_image_rows(const BlockStep& step, Arena::Worker& own, int end);
  void filter(const BlockStep& step, int block, int blocks, const float* ring, float* out, int first_row,
              int last_row);
  PointwiseArgs projection(const BlockStep& step, const float* mid, std::size_t mid_block);
  void project_strip(const BlockStep& step, const Arena::Worker& own, int first_row, int last_row);
  void group(const BlockStep& step, Arena::Worker& own, float* mid, int block, int blocks);
  void strips(const BlockStep& step, Arena::Worker& own, int first_row, int last_row);
  void gate(const BlockStep& step, float* mid, PointwiseArgs& projection);
  void pointwise(const PointwiseArgs& whole);
  void apply(const DenseStep& step, const float* in, float* out, Timing::Kind kind);

  Arena& arena_;
  const float* image_;
  Team& team_;
  Timing* timing_;
  const KernelTable& kernels_;
  int current_ = 0;
  int vector_ = 0;
  std::atomic<bool> finite_{true};
};

}  // namespace dofa::engine::kernels
