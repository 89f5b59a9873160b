// SPDX-License-Identifier: Apache-2.0
// The one clock of the runtime: CLOCK_MONOTONIC in microseconds, comparable between threads and with clients'
// stamps.
#pragma once

#include <ctime>

#include <cstdint>
#include <limits>

namespace dofa::control {

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

inline std::int64_t now_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000LL + now.tv_nsec / 1000;
}

}  // namespace dofa::control
