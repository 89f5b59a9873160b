// SPDX-License-Identifier: Apache-2.0
// One application's connection: who it is and which family serves it. What it was promised and how it went lives in the
// policy, reached through the scheduler. Shared by the runtime, its frames, streams and the bus; thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

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

class Session {
 public:
  Session(SessionIdentity identity, policy::SessionId policy_id, std::shared_ptr<LoadedFamily> family, Scheduler& scheduler);

  [[nodiscard]] const SessionIdentity& identity() const { return identity_; }
  [[nodiscard]] policy::SessionId policy_id() const { return policy_id_; }
  [[nodiscard]] LoadedFamily& family() const { return *family_; }
  [[nodiscard]] policy::Contract contract() const;
  [[nodiscard]] policy::SessionStats stats() const;
  /// Counts frames that the application gave up because its ring was full: missed, like any other.
  void count_refused(std::uint64_t frames);

  /// The level that the next frame is expected to use.
  [[nodiscard]] std::uint32_t level() const { return level_.load(std::memory_order_relaxed); }
  void set_level(std::uint32_t level) { level_.store(level, std::memory_order_relaxed); }
  /// Predicted inference time of that level now, µs; 0 = not known yet.
  [[nodiscard]] std::int64_t expected_latency_us() const;

  [[nodiscard]] bool closed() const { return closed_.load(std::memory_order_acquire); }
  /// True for the one call that closed it.
  bool close() { return !closed_.exchange(true, std::memory_order_acq_rel); }

  std::uint32_t waiting = 0;                    ///< frames queued; the scheduler's, under its lock
  std::atomic<std::int64_t> prepare_us = 0;     ///< preprocessing time of its latest frame
  std::atomic<std::int64_t> unmet_told_us = 0;  ///< when ContractUnmet was last sent, for the rate limit

 private:
  const SessionIdentity identity_;
  const policy::SessionId policy_id_;
  const std::shared_ptr<LoadedFamily> family_;
  Scheduler& scheduler_;
  std::atomic<std::uint32_t> level_ = 0;
  std::atomic<bool> closed_ = false;
};

}  // namespace dofa::control
