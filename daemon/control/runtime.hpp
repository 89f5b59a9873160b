// SPDX-License-Identifier: Apache-2.0
// The runtime manager: joins families, sessions, lanes, the policy and the monitor. Knows no bus: whoever
// wants to hear of changes implements RuntimeListener. Thread-safe; the listener is called without any of the
// runtime's locks held, and may call back.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/config/service.hpp"
#include "daemon/control/family_store.hpp"
#include "daemon/control/gpu_pool.hpp"
#include "daemon/control/lane.hpp"
#include "daemon/control/processors.hpp"
#include "daemon/control/refiner.hpp"
#include "daemon/control/scheduler.hpp"
#include "daemon/control/session.hpp"
#include "daemon/control/watcher.hpp"

namespace dofa::control {

class RuntimeListener {
 public:
  virtual ~RuntimeListener() = default;
  virtual void family_loaded(const std::shared_ptr<const LoadedFamily>& family) = 0;
  virtual void family_unloaded(const std::string& name) = 0;
  /// Its latencies are others than before (measured on a quiet processor, or on one more), or about to be.
  virtual void family_profiled(const std::string& name) = 0;
  virtual void session_closed(const Session& session, const std::string& reason) = 0;
  /// `session` is at another level or processor than last told; at most five times a second a session.
  virtual void subnet_changed(const Session& session, std::uint32_t from, const std::string& reason) = 0;
  /// The contract cannot be kept now; at most once a second a session.
  virtual void contract_unmet(const Session& session, const std::string& reason,
                              const std::optional<policy::Contract>& nearest) = 0;
};

struct SessionRequest {
  std::string owner;
  std::uint32_t uid = 0;
  std::string application;
  std::string family;
  policy::Contract contract;
};

/// What one processor is doing.
struct ProcessorStatus {
  std::string name;
  std::uint32_t lanes = 0;
  std::uint64_t queue = 0;
  double slowdown = 1.0;
  std::string simd;   ///< the CPU's: instructions that the kernels use, e.g. "AVX3"
  std::string model;  ///< a GPU's, as its driver names it
  std::string lost;   ///< why it cannot be used now; empty: it can
  MachineReading machine;
};

/// Frames of all sessions since the start, those of closed ones included.
struct FrameTotals {
  std::uint64_t frames = 0;
  std::uint64_t missed = 0;
  std::uint64_t dropped = 0;
  std::uint64_t switches = 0;
};

/// What differs between a service and a test.
struct Environment {
  Verifier verifier;                ///< may be empty
  std::string root = "/";           ///< where the monitor looks for /proc and /sys
  std::string version = "0";        ///< profiles of another version are measured anew
  std::vector<engine::Gpu> gpus{};  ///< that run frames beside the CPU
  /// The next tick() should come now; called on a lane's thread with locks held: must only wake. May be
  /// empty.
  std::function<void()> hurry{};
};

class Runtime {
 public:
  Runtime(config::ServiceOptions options, Environment environment);
  ~Runtime();

  /// Set before the first session is opened; may be null. The listener outlives its registration.
  void set_listener(RuntimeListener* listener);

  Result<std::shared_ptr<const LoadedFamily>> load_family(const std::string& directory);
  /// A family that is in memory already instead of in files.
  Result<std::shared_ptr<const LoadedFamily>> adopt_family(std::shared_ptr<const engine::Family> family);
  /// kBusy where sessions use it, unless `force`: then they are closed with "family unloaded".
  Result<void> unload_family(const std::string& name, bool force);
  /// Has all its levels measured anew between frames, once each processor is quiet; the old profile serves
  /// until then. kNotFound.
  Result<void> profile_family(const std::string& name);
  /// Loads what the configuration names, or all there is; failures are logged, the others load. `starting` is
  /// called with each name before its turn.
  void load_configured_families(const std::function<void(const std::string&)>& starting = {});
  [[nodiscard]] std::vector<std::shared_ptr<const LoadedFamily>> families() const;

  /// Validates, admits and plans. Errors: kInvalidArgument, kNotFound, kUnsatisfiable, kNotSupported,
  /// kResourceExhausted, kNotReady.
  Result<std::shared_ptr<Session>> open_session(SessionRequest request);
  Result<void> set_contract(const std::shared_ptr<Session>& session, const policy::Contract& contract);
  void close_session(const std::shared_ptr<Session>& session, const std::string& reason);
  /// Closes whatever the vanished bus connection owned.
  void owner_gone(const std::string& owner);
  [[nodiscard]] std::vector<std::shared_ptr<Session>> sessions() const;

  /// Queues a frame; on an error the frame is still the caller's and done() is not called.
  Result<void> submit(const std::shared_ptr<Session>& session, Frame& frame);

  /// Doorbells that the session's lane listens to while it is idle, besides whoever has the streams
  /// (Scheduler).
  void set_bell_listener(BellListener* listener) { scheduler_.set_bell_listener(listener); }
  void watch_bell(const Session& session, int fd, std::uint64_t id) {
    scheduler_.watch_bell(session, fd, id);
  }
  void unwatch_bell(int fd) { scheduler_.unwatch_bell(fd); }

  /// The control loop's turn: readings to the policy, plans to the sessions.
  void tick(std::int64_t now);
  /// Applies what can change while running and returns the keys that need a restart.
  std::vector<std::string> reconfigure(const config::ServiceOptions& options);
  [[nodiscard]] config::LimitOptions limits() const;
  [[nodiscard]] std::vector<ProcessorStatus> processors() const;
  [[nodiscard]] FrameTotals totals() const;
  /// False where a lane has been busy with one frame for longer than control.stuck_after_s.
  [[nodiscard]] bool healthy(std::int64_t now) const;
  /// Closes every session and refuses new ones.
  void shut_down();

 private:
  /// Logs the outcome of loading and tells the listener.
  void announce(const Result<std::shared_ptr<const LoadedFamily>>& family) const;
  Result<void> check_limits(const SessionRequest& request) const;  ///< with the lock held
  void close_matching(const std::string& reason, const std::function<bool(const Session&)>& matches);
  void tell(const Session& session, std::int64_t now);
  /// A family's new profile to its sessions and the listener; on a lane's thread.
  void publish_profile(const std::shared_ptr<LoadedFamily>& family);
  [[nodiscard]] LaneSetup lane_setup(std::uint32_t lane);

  mutable std::mutex mutex_;
  config::ServiceOptions options_;
  const config::ServiceOptions started_;  ///< what the keys that need a restart are compared with
  const Processors processors_;
  std::atomic<std::uint32_t>
      queue_limit_;  ///< of options_, for frames: their way takes one lock, the scheduler's
  std::atomic<RuntimeListener*> listener_ = nullptr;
  bool stopping_ = false;
  std::uint64_t next_session_ = 1;
  std::map<std::uint64_t, std::shared_ptr<Session>> sessions_;
  FrameTotals closed_totals_;  ///< of sessions that are no more
  const ProfileKeeper keeper_;
  FamilyStore families_;
  Watcher watcher_;
  Scheduler scheduler_;
  GpuPool gpus_;
  Refiner refiner_;
  std::mutex publishing_;  ///< so that the newest profile is the last one told
  std::vector<std::unique_ptr<Lane>> lanes_;

  /// What the control loop has told of a session, and what it has yet to tell.
  struct Told {
    std::uint32_t level = 0;
    std::uint32_t processor = 0;
    std::int64_t level_us = 0;
    std::string reason = "contract changed";  ///< of the latest change that the planner did not make
    std::optional<SessionChange> unmet;
    std::int64_t unmet_us = INT64_MIN / 2;
  };
  Told& told_of(const Session& session);
  std::map<std::uint64_t, Told> told_;  ///< the control loop's own
  std::int64_t planned_us_ = 0;
};

}  // namespace dofa::control
