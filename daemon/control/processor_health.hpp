// SPDX-License-Identifier: Apache-2.0
// Whether a processor can be used, and when to try one again that was lost: after 1 s, then twice as long
// each time, up to a minute. One that is lost again soon after it came back goes on where it was. Pure: time
// is an argument. Not thread-safe; owns its strings.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

namespace dofa::control {

class ProcessorHealth {
 public:
  static constexpr std::int64_t kFirstPauseUs = 1'000'000;
  static constexpr std::int64_t kLongestPauseUs = 60'000'000;
  static constexpr std::int64_t kProvenUs = 60'000'000;  ///< in use this long, and a loss counts as the first

  [[nodiscard]] bool usable() const { return usable_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }  ///< empty while usable

  /// It was lost, or an attempt to bring it back failed.
  void lost(std::int64_t now_us, std::string reason) {
    if (usable_ && now_us - back_us_ >= kProvenUs) next_pause_us_ = kFirstPauseUs;
    usable_ = false;
    trying_ = false;
    reason_ = std::move(reason);
    retry_us_ = now_us + next_pause_us_;
    next_pause_us_ = std::min(2 * next_pause_us_, kLongestPauseUs);
  }
  /// True once, when it is time for an attempt; then lost() or recovered() says how it went.
  bool try_now(std::int64_t now_us) {
    if (usable_ || trying_ || now_us < retry_us_) return false;
    return trying_ = true;
  }
  void recovered(std::int64_t now_us) {
    usable_ = true;
    trying_ = false;
    reason_.clear();
    back_us_ = now_us;
  }

 private:
  bool usable_ = true;
  bool trying_ = false;
  std::string reason_;
  std::int64_t retry_us_ = 0;
  std::int64_t next_pause_us_ = kFirstPauseUs;
  std::int64_t back_us_ = INT64_MIN / 2;
};

}  // namespace dofa::control
