// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/quantile.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace dofa::policy {

double normal_quantile(double p) {
  // Newton's method on the distribution function from the logistic approximation. Contracts are made rarely,
  // so clarity goes before speed; the upper half mirrors the lower one, where erfc keeps its precision.
  if (p > 0.5) return -normal_quantile(1 - p);
  double z = std::log(p / (1 - p)) / 1.702;
  for (int i = 0; i < 50; ++i) {
    const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
    const double step = (0.5 * std::erfc(-z / std::numbers::sqrt2) - p) / density;
    z -= std::clamp(step, -0.5, 0.5);
    if (std::abs(step) < 1e-12) break;
  }
  return z;
}

void QuantileSketch::add(double time_us) {
  const double position = time_us > 1.0 ? std::log(time_us) / std::log(kGrowth) : 0.0;
  ++buckets_[std::min(static_cast<std::size_t>(std::min(position, 1e6)), kBuckets - 1)];
  ++count_;
}

double QuantileSketch::quantile(double q) const {
  if (count_ == 0) return 0.0;
  const double wanted = std::clamp(q, 0.0, 1.0) * static_cast<double>(count_ - 1);
  std::uint64_t below = 0;
  std::size_t bucket = 0;
  while (bucket + 1 < kBuckets && static_cast<double>(below + buckets_[bucket]) <= wanted) {
    below += buckets_[bucket++];
  }
  return std::pow(kGrowth, static_cast<double>(bucket) + 0.5);
}

}  // namespace dofa::policy
