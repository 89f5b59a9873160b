// SPDX-License-Identifier: Apache-2.0
// The root object: opens sessions, loads and unloads families. Methods run on the bus thread; what takes long
// (loading, reloading) is handed to the service's task thread and answered from there.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "daemon/bus/authority.hpp"
#include "daemon/bus/values.hpp"
#include "daemon/control/runtime.hpp"
#include "dbus/manager_adaptor.hpp"

namespace dofa::bus {

/// What the root object needs of the service around it.
struct ManagerHooks {
  std::function<void(std::function<void()>)> run_later;  ///< on the task thread
  std::function<Result<void>()> reload;
  /// Makes the session's object; its path is returned to the caller.
  std::function<std::string(std::shared_ptr<control::Session>)> publish_session;
  Authority* authority = nullptr;
};

class ManagerObject final
    : public sdbus::AdaptorInterfaces<org::dofa::Dofa1::Manager_adaptor, sdbus::ObjectManager_adaptor> {
 public:
  ManagerObject(sdbus::IConnection& connection, control::Runtime& runtime, std::string version,
                ManagerHooks hooks);
  ~ManagerObject();

  void announce_stopping();

 private:
  sdbus::ObjectPath OpenSession(const std::string& application, const std::string& family,
                                const Dictionary& contract) override;
  void LoadFamily(sdbus::Result<sdbus::ObjectPath>&& reply, std::string directory) override;
  void UnloadFamily(sdbus::Result<>&& reply, sdbus::ObjectPath family, Dictionary options) override;
  void ProfileFamily(sdbus::Result<>&& reply, std::string name) override;
  void Reload(sdbus::Result<>&& reply) override;

  void unload(const sdbus::ObjectPath& path, bool force);

  std::string Version() override;
  std::string State() override;
  std::map<std::string, Dictionary> Processors() override;

  control::Runtime& runtime_;
  const std::string version_;
  const ManagerHooks hooks_;
  std::atomic<bool> stopping_ = false;
};

}  // namespace dofa::bus
