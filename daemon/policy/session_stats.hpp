// SPDX-License-Identifier: Apache-2.0
// What a session got: the numbers behind the D-Bus properties and the bench. Fixed size, not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "daemon/policy/quantile.hpp"

namespace dofa::policy {

class SessionStats {
 public:
  void submitted() { ++submitted_; }
  /// A frame was answered. `accuracy` of the level that ran; `dipped`: below the session's ceiling.
  void served(bool on_time, double accuracy, double queue_us, double service_us, bool dipped);
  /// A frame was not run: dropped as hopeless, shed, or refused because the queue was full.
  void dropped() { ++dropped_; }
  /// The session's ceiling moved.
  void switched(std::int64_t now_us);

  [[nodiscard]] std::uint64_t frames() const { return submitted_; }
  [[nodiscard]] std::uint64_t missed() const { return late_ + dropped_; }
  [[nodiscard]] std::uint64_t late() const { return late_; }
  [[nodiscard]] std::uint64_t drops() const { return dropped_; }
  [[nodiscard]] std::uint64_t dips() const { return dips_; }
  [[nodiscard]] std::uint64_t switches() const { return switches_; }
  /// Frames answered in time / frames submitted that are decided; 1 before the first.
  [[nodiscard]] double attainment() const;
  /// Mean accuracy of the frames that were answered, late ones included; 0 before the first.
  [[nodiscard]] double mean_accuracy() const;
  /// Ceiling moves within the last minute.
  [[nodiscard]] std::uint32_t switches_last_minute(std::int64_t now_us) const;
  [[nodiscard]] const QuantileSketch& queue_us() const { return queue_us_; }
  [[nodiscard]] const QuantileSketch& service_us() const { return service_us_; }

 private:
  std::uint64_t submitted_ = 0;
  std::uint64_t on_time_ = 0;
  std::uint64_t late_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t dips_ = 0;
  std::uint64_t switches_ = 0;
  double accuracy_sum_ = 0.0;
  QuantileSketch queue_us_;
  QuantileSketch service_us_;
  std::array<std::int64_t, 128> switch_times_us_{};  // ring; more than that a minute reads as 128
};

}  // namespace dofa::policy
