// SPDX-License-Identifier: Apache-2.0
// The service's presence on the bus: owns the connection, its thread and every object, and follows the
// runtime's events. Objects appear and vanish on any thread; a closed one is destroyed by collect(), never
// inside one of its own callbacks. Lock order: sd-bus's own lock is held during callbacks, so nothing here
// talks to the bus while holding mutex_.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "daemon/bus/family_object.hpp"
#include "daemon/bus/log_control_object.hpp"
#include "daemon/bus/manager_object.hpp"
#include "daemon/bus/session_object.hpp"

namespace dofa::bus {

struct ServiceOptions {
  std::string bus = "system";  ///< "system", "session" or an address
  std::string version;
  std::function<Result<void>()> reload;
  std::function<void()> connection_lost;  ///< called once, on the bus thread
};

class OwnerWatch;

class Service final : public control::RuntimeListener {
 public:
  /// Connects, publishes what is loaded, takes the name and serves from its own thread. Throws sdbus::Error
  /// where it can't connect or the name is taken.
  Service(control::Runtime& runtime, control::StreamGate& streams, ServiceOptions options);
  ~Service() override;

  /// Destroys the objects of closed sessions. Call it from the control loop.
  void collect();
  /// Says "stopping" to whoever listens.
  void announce_stopping();

 private:
  void family_loaded(const std::shared_ptr<const control::LoadedFamily>& family) override;
  void family_unloaded(const std::string& name) override;
  void family_profiled(const std::string& name) override;
  void session_closed(const control::Session& session, const std::string& reason) override;
  void subnet_changed(const control::Session& session, std::uint32_t from,
                      const std::string& reason) override;
  void contract_unmet(const control::Session& session, const std::string& reason,
                      const std::optional<policy::Contract>& nearest) override;

  [[nodiscard]] std::shared_ptr<SessionObject> object_of(const control::Session& session);
  std::string publish_session(std::shared_ptr<control::Session> session);
  void run_later(std::function<void()> task);
  void run_tasks();

  control::Runtime& runtime_;
  control::StreamGate& streams_;
  const ServiceOptions options_;
  std::unique_ptr<sdbus::IConnection> connection_;
  std::unique_ptr<Authority> authority_;
  const InferParts infer_{std::make_shared<PinnedMemory>(), std::make_shared<Replies>()};
  std::unique_ptr<ManagerObject> manager_;
  std::unique_ptr<LogControlObject> log_control_;
  std::unique_ptr<OwnerWatch> owner_watch_;

  std::mutex mutex_;
  std::condition_variable tasks_changed_;
  std::map<std::uint64_t, std::shared_ptr<SessionObject>> sessions_;
  std::map<std::string, std::shared_ptr<FamilyObject>> families_;
  std::vector<std::shared_ptr<SessionObject>> closed_sessions_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::thread task_thread_;
  std::thread bus_thread_;
};

}  // namespace dofa::bus
