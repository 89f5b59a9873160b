// SPDX-License-Identifier: Apache-2.0
// What became of a session's last frames, for whoever watches: a ring of fixed size, so that recording one
// allocates nothing. Not thread-safe: the scheduler's, under its lock.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace dofa::control {

struct FrameRecord {
  enum class Outcome : std::uint8_t { kInTime = 0, kLate = 1, kDropped = 2 };
  std::int64_t arrival_us = 0;   ///< CLOCK_MONOTONIC
  std::uint32_t queue_us = 0;    ///< from arrival to the start of its preparation
  std::uint32_t service_us = 0;  ///< from there to its answer
  std::uint32_t level = 0;
  Outcome outcome = Outcome::kInTime;
};

class FrameLog {
 public:
  static constexpr std::size_t kKept = 512;  // 16 s of a 30 Hz camera: a watcher may sleep a while

  void add(const FrameRecord& frame) { frames_[count_++ % kKept] = frame; }
  /// Frames recorded so far.
  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// Those after the first `count` that are still kept, oldest first.
  [[nodiscard]] std::vector<FrameRecord> after(std::uint64_t count) const {
    std::vector<FrameRecord> frames;
    const std::uint64_t oldest = count_ > kKept ? count_ - kKept : 0;
    for (std::uint64_t i = std::max(count, oldest); i < count_; ++i) frames.push_back(frames_[i % kKept]);
    return frames;
  }

 private:
  std::array<FrameRecord, kKept> frames_{};
  std::uint64_t count_ = 0;
};

/// The records after some point, and where the next question goes on.
struct RecentFrames {
  std::uint64_t next = 0;
  std::vector<FrameRecord> frames;
};

}  // namespace dofa::control
