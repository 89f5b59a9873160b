// SPDX-License-Identifier: Apache-2.0
// How much slower than its profile a processor runs right now, learnt from every finished frame and warned by
// the monitor. One filter a processor. Not thread-safe; owns plain numbers only and never allocates.
//
// The model (DESIGN §6): inference time = ξ·t + ε with ξ ~ (μ, σ²) shared by all levels, and ε ~ (0, r²) for
// the scheduler's slices, which add milliseconds whatever the level. q(p) = c + μ·t + z·√(σ²·t² + r²).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace dofa::policy {

/// What the filter believes; the constants behind it are in slowdown.cpp, each with its reason.
class SlowdownFilter {
 public:
  enum class Outliers : std::uint8_t {
    kScattered,  ///< a CPU's: preemptions come in twos as well; movement is told from how innovations agree
    kAlone,      ///< a GPU's, which nobody takes away in the middle of a kernel: two in a row are the truth
  };
  explicit SlowdownFilter(Outliers outliers = Outliers::kScattered) : outliers_(outliers) {}

  /// A frame that is profiled at `profile_us` (inference alone) took `measured_us`. Ignores values that are
  /// not positive and finite.
  void observe(double profile_us, double measured_us, std::int64_t now_us);

  /// The monitor's reading: how slow it would expect us to run (≥ 1, see expected_cpu_slowdown; NaN: no
  /// idea). Only a jump matters: it widens σ² at once, so that we are careful before the first frame is late,
  /// and quick to believe the next one. Where no frame has run for a while this is also what lets the past
  /// fade, with or without an idea: call it at every tick for every processor, or nobody would ever return to
  /// one that was busy.
  void expect(double slowdown, std::int64_t now_us);

  /// Something happened that makes the past worthless (suspend, resume, a stopped process).
  void forget(std::int64_t now_us);

  /// Expected inference time of a point, µs.
  [[nodiscard]] double mean_us(double profile_us) const { return mean_ * profile_us; }
  /// The inference time that a point stays below with the probability whose normal quantile is `z`, µs.
  [[nodiscard]] double quantile_us(double profile_us, double z) const;

  [[nodiscard]] double slowdown() const { return mean_; }
  /// When a frame was last seen; INT64_MIN before the first.
  [[nodiscard]] std::int64_t observed_us() const { return observed_us_; }

 private:
  [[nodiscard]] double deviation_us(double profile_us) const;
  void calibrate(double profile_us, double measured_us);
  void remember(double ratio);

  static constexpr std::size_t kRecent = 64;
  static constexpr double kFreshVariance = 0.01;  // an unused processor's: unsure by a tenth
  static constexpr double kFreshResidualUs = 200;
  Outliers outliers_;
  double mean_ = 1.0;                 // μ
  double variance_ = kFreshVariance;  // of μ; σ² is this plus the frame-to-frame jitter
  double residual_us2_ = kFreshResidualUs * kFreshResidualUs;  // r²
  double scale_ = 1.0;  // widens or narrows the normal shape until quantiles cover what they promise
  double drift_ = 0.0;  // evidence that ξ is moving: successive innovations that agree
  double last_innovation_ = 0.0;
  double far_surprise_ = 0.0;  // the last frame's, where it was too far to be believed alone
  double expected_ = 0.0;      // the monitor's usual reading; 0 before the first
  double highest_recent_ = 0.0;
  std::array<double, kRecent> recent_{};  // measured / profiled of the last frames
  std::size_t recent_next_ = 0;
  std::size_t recent_count_ = 0;
  double warned_ = 0.0;    // slowdown that the monitor warned of …
  int warned_frames_ = 0;  // … and for how many more frames it may exceed the highest recent one
  std::int64_t observed_us_ = INT64_MIN;
  std::int64_t expected_us_ = INT64_MIN;
};

/// What the machine's scheduler shows: how many threads want a CPU, and how long ours waited for one.
struct CpuPressure {
  double runnable_others = 0;  ///< runnable threads that are not ours
  double own_threads = 1;      ///< threads of ours that run frames
  double cores = 1;
  double own_cpu_us = 0;   ///< CPU time of our workers since the last reading
  double own_wait_us = 0;  ///< run-queue wait of our workers since the last reading
};

/// How slow the scheduler's numbers say we run, ≥ 1: the mean of fair sharing among the runnable and of what
/// our own waiting shows (alone where we did not run). Fair sharing predicts the traces' hogs to 10 %.
double expected_cpu_slowdown(const CpuPressure& pressure);

/// How slow a GPU runs us whose time others take a share of, 0..1: about 1 / (1 - share), as it hands out
/// slices of time. NaN where `others_load` is not a number.
double expected_gpu_slowdown(double others_load);

}  // namespace dofa::policy
