// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/session_stats.hpp"

#include <algorithm>

namespace dofa::policy {

void SessionStats::served(bool on_time, double accuracy, double queue_us, double service_us, bool dipped) {
  ++(on_time ? on_time_ : late_);
  if (dipped) ++dips_;
  accuracy_sum_ += accuracy;
  queue_us_.add(queue_us);
  service_us_.add(service_us);
}

void SessionStats::switched(std::int64_t now_us) {
  switch_times_us_[switches_ % switch_times_us_.size()] = now_us;
  ++switches_;
}

double SessionStats::attainment() const {
  const std::uint64_t decided = on_time_ + late_ + dropped_;
  return decided == 0 ? 1.0 : static_cast<double>(on_time_) / static_cast<double>(decided);
}

double SessionStats::mean_accuracy() const {
  const std::uint64_t answered = on_time_ + late_;
  return answered == 0 ? 0.0 : accuracy_sum_ / static_cast<double>(answered);
}

std::uint32_t SessionStats::switches_last_minute(std::int64_t now_us) const {
  const auto known = std::min<std::uint64_t>(switches_, switch_times_us_.size());
  return static_cast<std::uint32_t>(
      std::count_if(switch_times_us_.begin(), switch_times_us_.begin() + static_cast<std::ptrdiff_t>(known),
                    [&](std::int64_t time_us) { return time_us > now_us - 60'000'000; }));
}

}  // namespace dofa::policy
