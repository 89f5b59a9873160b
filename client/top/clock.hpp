// SPDX-License-Identifier: Apache-2.0
// The two clocks that `dofactl top` reads. Stateless.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>

namespace dofa::top {

inline std::int64_t monotonic_us() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

/// Local time of day, "12:34:56".
inline std::string clock_text() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char text[16];
  return {text, std::strftime(text, sizeof text, "%H:%M:%S", &local)};
}

}  // namespace dofa::top
