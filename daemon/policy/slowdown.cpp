// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/slowdown.hpp"

#include <algorithm>
#include <cmath>

namespace dofa::policy {
namespace {

// Chosen over the recorded traces and made-up constant slowdowns (tests/bench/replay); half or twice of any
// of them costs at most two points of attainment there, on the bursts.
constexpr double kJitter = 0.045;  // frame-to-frame spread of ξ on an idle machine: 4-5 % of the time
constexpr double kDriftPerSecond = 2.5e-3;  // variance by which ξ wanders at least: idle filters grow unsure
constexpr double kLongestGapS = 10.0;
constexpr double kDriftMemory = 0.7;  // a real move shows in about three frames
constexpr double kDriftGain = 0.15;   // share of the agreeing innovations that is taken for movement
constexpr double kMaxDrift = 0.5;
constexpr double kResidualGain = 0.07;  // r² remembers about 14 frames …
constexpr double kResidualShift = 0.5;  // … fewer while ξ moves: then old residuals describe another world
constexpr double kClipHigh = 4.0;       // one outlier, however far, moves us by this many deviations at most
constexpr double kClipLow = 2.0;        // fast frames say little about how slow the slow ones are
constexpr double kScaleGain = 0.03;     // a quantile missed widens by 3 %, one kept narrows by 0.15 %
constexpr double kMinScale = 0.6;
constexpr double kMaxScale = 2.5;
constexpr double kCalibrationMiss = 0.05;  // quantiles are calibrated at 0.95 …
constexpr double kCalibrationZ = 1.6449;
constexpr double kRecentZ = 2.1539;  // of 1 - 1/64: what the highest of 64 recent frames stands for
constexpr double kLeastCap = 1.1;    // of the profile: a lucky minute must not talk us into no margin at all
constexpr int kWarnedFrames = 10;  // after these the frames themselves have shown what the warning was worth
constexpr double kExpectationMemoryS = 0.3;  // what the monitor says usually
constexpr double kExpectationJump = 0.4;     // of slowdown; smaller steps are the noise of counting threads
constexpr double kExpectationTrust = 0.3;    // hogs in another scheduling group look as bad and do no harm
constexpr std::int64_t kUnobservedUs = 1'000'000;
constexpr double kFollowS = 1.0;
constexpr double kForgetfulVariance = 0.25;  // after a suspend ξ may be half or one and a half
constexpr double kLowestMean = 0.05;

double square(double x) {
  return x * x;
}
bool usable(double x) {
  return std::isfinite(x) && x > 0;
}

}  // namespace

double SlowdownFilter::deviation_us(double profile_us) const {
  return std::sqrt((variance_ + square(kJitter)) * square(profile_us) + residual_us2_);
}

double SlowdownFilter::quantile_us(double profile_us, double z) const {
  const double modelled = mean_us(profile_us) + z * scale_ * deviation_us(profile_us);
  // The normal shape overshoots where waits are quantised. The highest of the last 64 frames estimates their
  // 1 - 1/64 quantile, so no lower quantile needs to lie above it.
  if (z > kRecentZ || recent_count_ < kRecent) return modelled;
  const double highest = std::max({highest_recent_, kLeastCap, warned_frames_ > 0 ? warned_ : 0.0});
  return std::min(modelled, highest * profile_us);
}

// Keeps the promise of the quantiles themselves, whatever the true shape: stochastic approximation of the
// scale at which 5 % of the frames exceed the predicted 0.95 quantile.
void SlowdownFilter::calibrate(double profile_us, double measured_us) {
  const bool kept = measured_us <= quantile_us(profile_us, kCalibrationZ);
  scale_ *= std::exp(kScaleGain * (kept ? -kCalibrationMiss : 1.0 - kCalibrationMiss));
  scale_ = std::clamp(scale_, kMinScale, kMaxScale);
}

void SlowdownFilter::remember(double ratio) {
  recent_[recent_next_] = ratio;
  recent_next_ = (recent_next_ + 1) % kRecent;
  recent_count_ = std::min(recent_count_ + 1, kRecent);
  highest_recent_ = *std::max_element(recent_.begin(), recent_.end());
}

void SlowdownFilter::observe(double profile_us, double measured_us, std::int64_t now_us) {
  if (!usable(profile_us) || !usable(measured_us)) return;
  calibrate(profile_us, measured_us);
  remember(measured_us / profile_us);
  warned_frames_ = std::max(0, warned_frames_ - 1);

  const double deviation = deviation_us(profile_us) / profile_us;
  const double surprise = measured_us / profile_us - mean_;
  const bool far = outliers_ == Outliers::kAlone && surprise > kClipHigh * deviation;
  const double innovation = far && far_surprise_ > 0
                                ? std::min(surprise, far_surprise_)  // believed as far as both go
                                : std::clamp(surprise, -kClipHigh * deviation, kClipHigh * deviation);
  far_surprise_ = far ? surprise : 0;

  // Noise changes its sign from frame to frame, a moving ξ does not: so the product of successive
  // innovations, and not their size, is the evidence for movement. An outlier alone moves nothing.
  drift_ = kDriftMemory * drift_ + (1 - kDriftMemory) * innovation * last_innovation_;
  last_innovation_ = innovation;
  const double gap_s = observed_us_ == INT64_MIN ? 0.0 : static_cast<double>(now_us - observed_us_) * 1e-6;
  const double wander = kDriftPerSecond * std::clamp(gap_s, 0.0, kLongestGapS);
  observed_us_ = now_us;
  variance_ += std::min(std::max(wander, kDriftGain * drift_), kMaxDrift);

  const double total = variance_ + square(kJitter) + residual_us2_ / square(profile_us);
  const double gain = variance_ / total;
  mean_ = std::max(mean_ + gain * innovation, kLowestMean);
  variance_ *= 1 - gain;

  const double spread = std::max(innovation, -kClipLow * deviation);
  const double left_over_us2 = (square(spread) * (1 - gain) - square(kJitter)) * square(profile_us);
  const double residual_gain = std::max(kResidualGain, kResidualShift * gain);
  residual_us2_ = std::max(0.0, residual_us2_ + residual_gain * (left_over_us2 - residual_us2_));
}

void SlowdownFilter::expect(double slowdown, std::int64_t now_us) {
  const double gap_s =
      expected_us_ == INT64_MIN ? 0.0 : std::max(0.0, static_cast<double>(now_us - expected_us_) * 1e-6);
  expected_us_ = now_us;
  if (observed_us_ != INT64_MIN && now_us - observed_us_ > kUnobservedUs) {
    const double goal = usable(slowdown) ? slowdown : 1.0;  // else nobody would ever try this processor again
    const double share = 1 - std::exp(-gap_s / kFollowS);
    mean_ += (goal - mean_) * share;
    variance_ += (kFreshVariance - variance_) * share;
    residual_us2_ += (square(kFreshResidualUs) - residual_us2_) * share;
    recent_count_ = 0;
  }
  if (!usable(slowdown)) return;
  const double usual = expected_;
  if (usual == 0.0) {
    expected_ = slowdown;
    return;
  }
  const double jump = slowdown - usual;
  const bool worse = jump > kExpectationJump && slowdown > mean_;
  const bool better = jump < -kExpectationJump && slowdown < mean_;
  if (worse || better) {
    variance_ += square(kExpectationTrust * (slowdown - mean_));
    if (worse) {  // the highest recent frame knows the past only
      warned_ = slowdown;
      warned_frames_ = kWarnedFrames;
    }
    expected_ = slowdown;
  } else {
    expected_ += jump * (1 - std::exp(-gap_s / kExpectationMemoryS));
  }
}

void SlowdownFilter::forget(std::int64_t now_us) {
  variance_ = std::max(variance_, kForgetfulVariance);
  drift_ = 0.0;
  last_innovation_ = 0.0;
  far_surprise_ = 0.0;
  recent_count_ = 0;
  recent_next_ = 0;
  recent_.fill(0.0);
  observed_us_ = now_us;
}

double expected_cpu_slowdown(const CpuPressure& pressure) {
  if (!usable(pressure.cores)) return std::nan("");
  const double sharing = std::max(1.0, (pressure.runnable_others + pressure.own_threads) / pressure.cores);
  if (!usable(pressure.own_cpu_us)) return sharing;
  const double waiting = 1.0 + std::max(0.0, pressure.own_wait_us) / pressure.own_cpu_us;
  return 0.5 * (sharing + waiting);
}

double expected_gpu_slowdown(double others_load) {
  constexpr double kLargestShare = 0.8;  // however much they want, the driver's time slices leave us some
  if (!std::isfinite(others_load)) return std::nan("");
  return 1.0 / (1.0 - std::clamp(others_load, 0.0, kLargestShare));
}

}  // namespace dofa::policy
