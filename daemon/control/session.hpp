// SPDX-License-Identifier: Apache-2.0
// One application's connection: who it is and which family serves it. What it was promised and how it went
// lives in the policy, reached through the scheduler. Shared by the runtime, its frames, streams and the bus;
// thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "daemon/control/frame_log.hpp"
#include "daemon/control/loaded_family.hpp"
#include "daemon/policy/policy.hpp"

namespace dofa::control {

class Scheduler;

struct SessionIdentity {
  std::uint64_t id = 0;
  std::string owner;        ///< unique bus name
  std::uint32_t uid = 0;    ///< of the owner
  std::string application;  ///< printable
};

/// How long the preprocessing of a session's frames takes (c of the policy): smoothed for the latest format
/// and size; of others it is expected to take as long a pixel.
class PreparationTime {
 public:
  [[nodiscard]] double expected_us(const engine::ImageLayout& layout) const {
    if (layout == layout_ || us_ == 0) return us_;
    return us_ * pixels(layout) / std::max(1.0, pixels(layout_));
  }
  void learn(const engine::ImageLayout& layout, double us) {
    us_ = layout == layout_ ? us_ + (std::min(us, 4 * us_ + kSlackUs) - us_) / 8
                            : us;  // a preemption is no trend
    layout_ = layout;
  }
  /// Believes less of it after a frame was given up on its account.
  void doubt() { us_ *= 0.8; }

 private:
  static double pixels(const engine::ImageLayout& layout) {
    return static_cast<double>(layout.width) * static_cast<double>(layout.height);
  }

  static constexpr double kSlackUs = 100;
  engine::ImageLayout layout_;
  double us_ = 0;
};

class Session {
 public:
  Session(SessionIdentity identity, policy::SessionId policy_id, std::shared_ptr<LoadedFamily> family,
          Scheduler& scheduler);

  [[nodiscard]] const SessionIdentity& identity() const { return identity_; }
  [[nodiscard]] policy::SessionId policy_id() const { return policy_id_; }
  [[nodiscard]] LoadedFamily& family() const { return *family_; }
  [[nodiscard]] policy::Contract contract() const;
  [[nodiscard]] policy::SessionStats stats() const;
  /// Counts frames that the application gave up because its ring was full: missed, like any other.
  void count_refused(std::uint64_t frames);
  /// What became of its last frames, those after the first `count` ever recorded.
  [[nodiscard]] RecentFrames recent_frames(std::uint64_t count) const;

  /// The level that the next frame is expected to use.
  [[nodiscard]] std::uint32_t level() const { return level_.load(std::memory_order_relaxed); }
  /// Where it is expected to run: an index, and the name.
  [[nodiscard]] std::uint32_t processor() const { return processor_.load(std::memory_order_relaxed); }
  [[nodiscard]] const std::string& processor_name() const { return family_->processors[processor()]; }
  void set_place(std::uint32_t level, std::uint32_t processor) {
    level_.store(level, std::memory_order_relaxed);
    processor_.store(processor, std::memory_order_relaxed);
  }
  /// Predicted inference time of that level there, now, µs; 0 = not known yet.
  [[nodiscard]] std::int64_t expected_latency_us() const;

  [[nodiscard]] bool closed() const { return closed_.load(std::memory_order_acquire); }
  /// True for the one call that closed it. Calls come one at a time, from the runtime under its lock.
  bool close(std::string reason = {}) {
    if (closed()) return false;
    close_reason_ = std::move(reason);
    closed_.store(true, std::memory_order_release);
    return true;
  }
  /// Of a closed session.
  [[nodiscard]] const std::string& close_reason() const { return close_reason_; }

  std::uint32_t waiting = 0;          ///< frames queued; the scheduler's, under its lock
  PreparationTime prepare;            ///< likewise
  FrameLog log;                       ///< likewise
  std::uint32_t first_level = 0;      ///< as opened …
  std::uint32_t first_processor = 0;  ///< … and where

 private:
  const SessionIdentity identity_;
  const policy::SessionId policy_id_;
  const std::shared_ptr<LoadedFamily> family_;
  Scheduler& scheduler_;
  std::atomic<std::uint32_t> level_ = 0;
  std::atomic<std::uint32_t> processor_ = 0;
  std::string close_reason_;  ///< written before closed_ is set, never after
  std::atomic<bool> closed_ = false;
};

}  // namespace dofa::control
