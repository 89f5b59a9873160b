// SPDX-License-Identifier: Apache-2.0
// Quantiles, the two ways the policy needs them: of the normal distribution, and of a stream of times in
// bounded memory. No allocation; not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace dofa::policy {

/// The z for which a standard normal value stays below z with probability p, 0 < p < 1; error below 1e-9.
double normal_quantile(double p);

/// Counts times in buckets that grow by 2 %, so any quantile is known to within 1 % from 1 µs to 10 minutes.
class QuantileSketch {
 public:
  void add(double time_us);
  /// The q-quantile (0..1) of what was added, µs; 0 before anything was.
  [[nodiscard]] double quantile(double q) const;
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  static constexpr double kGrowth = 1.02;
  static constexpr std::size_t kBuckets = 1024;  // 1.02^1024 µs = 640 s
  std::array<std::uint32_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
};

}  // namespace dofa::policy
