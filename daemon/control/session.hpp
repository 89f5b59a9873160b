// SPDX-License-Identifier: Apache-2.0
// One application's connection: who it is, what it was promised, how it went. Identity never changes; contract and
// statistics are behind a lock that is held for copies only. Thread-safe; shared by the runtime, its frames and the bus.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "daemon/control/frame.hpp"
#include "daemon/control/loaded_family.hpp"
#include "daemon/policy/contract.hpp"

namespace dofa::control {

/// Counters of DESIGN's "attainment": dropped frames are missed as well.
struct SessionCounters {
  std::uint64_t frames = 0;   ///< submitted, refused ones included
  std::uint64_t missed = 0;   ///< late, dropped or refused
  std::uint64_t dropped = 0;  ///< never run
  std::uint64_t settled = 0;  ///< frames whose fate is known
  /// Share of settled frames that were in time; NaN before the first.
  [[nodiscard]] double attainment() const;
};

struct SessionIdentity {
  std::uint64_t id = 0;
  std::string owner;        ///< unique bus name
  std::uint32_t uid = 0;    ///< of the owner
  std::string application;  ///< printable
  std::uint32_t lane = 0;
};

class Session {
 public:
  Session(SessionIdentity identity, std::shared_ptr<LoadedFamily> family, policy::Contract contract);

  [[nodiscard]] const SessionIdentity& identity() const { return identity_; }
  [[nodiscard]] LoadedFamily& family() const { return *family_; }
  [[nodiscard]] policy::Contract contract() const;
  void set_contract(policy::Contract contract);
  [[nodiscard]] SessionCounters counters() const;

  /// The level that the next frame is expected to use.
  [[nodiscard]] std::uint32_t level() const { return level_.load(std::memory_order_relaxed); }
  /// Recent inference time of that level, µs; 0 = not known yet.
  [[nodiscard]] std::int64_t expected_latency_us() const;

  [[nodiscard]] bool closed() const { return closed_.load(std::memory_order_acquire); }
  /// True for the one call that closed it.
  bool close() { return !closed_.exchange(true, std::memory_order_acq_rel); }

  /// Counts a submitted frame, stamps its sequence and deadline; kResourceExhausted where `queue_limit` frames wait.
  Result<void> admit(Frame& frame, std::uint32_t queue_limit);
  /// Settles a frame that was run, and counts its inference time.
  void settle(FrameAnswer& answer, std::int64_t deadline_us, std::int64_t now);
  /// Settles a frame that was not run.
  void settle_dropped();

 private:
  const SessionIdentity identity_;
  const std::shared_ptr<LoadedFamily> family_;
  mutable std::mutex mutex_;
  policy::Contract contract_;
  SessionCounters counters_;
  std::uint32_t waiting_ = 0;
  std::vector<std::int64_t> latency_us_;  ///< by level: smoothed inference time
  std::atomic<std::uint32_t> level_ = 0;
  std::atomic<bool> closed_ = false;
};

}  // namespace dofa::control
