// SPDX-License-Identifier: Apache-2.0
// Keeps a stream of events to a rate with a small burst: frames above their contract's rate, signals that
// would flood the bus. Time is an argument. Not thread-safe, no allocation.
#pragma once

#include <algorithm>
#include <cstdint>

namespace dofa::policy {

class TokenBucket {
 public:
  /// One token every `period_us` (0: no limit), at most `burst` saved up; starts full.
  TokenBucket(std::int64_t period_us, double burst) : period_us_(period_us), burst_(burst), tokens_(burst) {}

  /// Whether the event is within the rate; takes a token if so. A clock that steps back earns nothing.
  bool take(std::int64_t now_us) {
    if (period_us_ <= 0) return true;
    if (filled_us_ != INT64_MIN && now_us > filled_us_) {
      tokens_ = std::min(
          burst_, tokens_ + static_cast<double>(now_us - filled_us_) / static_cast<double>(period_us_));
    }
    filled_us_ = now_us;
    if (tokens_ < 1.0) return false;
    tokens_ -= 1.0;
    return true;
  }

 private:
  std::int64_t period_us_;
  double burst_;
  double tokens_;
  std::int64_t filled_us_ = INT64_MIN;
};

}  // namespace dofa::policy
