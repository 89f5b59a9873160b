// SPDX-License-Identifier: Apache-2.0
// One connection to the bus: its event loop's thread, the dispatcher for handlers, and the service's root
// object. Thread-safe. Shared by a Client and by every Session and Watch that came from it.
#pragma once

#include <dofa/client.hpp>

#include <map>
#include <memory>
#include <string>
#include <thread>

#include "client/lib/dispatcher.hpp"
#include "client/lib/values.hpp"
#include "dbus/family_proxy.hpp"
#include "dbus/manager_proxy.hpp"
#include "proto/compat.hpp"

namespace dofa::client {

/// Properties of one object, by interface.
using Interfaces = std::map<std::string, Dictionary>;

/// The service's root object, and a family's: for calls only, their signals pass unheard.
class RootProxy final
    : public sdbus::ProxyInterfaces<org::dofa::Dofa1::Manager_proxy, sdbus::ObjectManager_proxy> {
 public:
  explicit RootProxy(sdbus::IConnection& connection);
  ~RootProxy() = default;

  struct OpenedSession {
    std::string path;
    std::string service;  ///< unique bus name of the service that opened it
  };
  /// OpenSession, and who answered: the well-known name may belong to another by now.
  OpenedSession open_session(const std::string& application, const std::string& family,
                             const Dictionary& contract);

 private:
  void onInterfacesAdded(
      const sdbus::ObjectPath&,
      const std::map<proto::InterfaceName, std::map<proto::PropertyName, sdbus::Variant>>&) override {}
  void onInterfacesRemoved(const sdbus::ObjectPath&, const std::vector<proto::InterfaceName>&) override {}
};

class FamilyProxy final : public sdbus::ProxyInterfaces<org::dofa::Dofa1::Family_proxy> {
 public:
  FamilyProxy(sdbus::IConnection& connection, const std::string& path);
  ~FamilyProxy() = default;
};

class Connection {
 public:
  explicit Connection(const ConnectOptions& options);
  ~Connection();

  /// Stands around synchronous calls and subscriptions made on any thread but the bus's. While such a call
  /// waits, it reads whatever else comes in, and the bus's thread sleeps on: a signal or another call's
  /// answer would lie there until the next message. At its end the bus's thread is made to look.
  /// sdbus-c++ 1.x never does that itself (its issue 390); 2.1 does after calls that succeed, not after
  /// failed ones, nor subscriptions.
  class Use {
   public:
    explicit Use(Connection& connection) : connection_(connection) {}
    ~Use() { connection_.wake(); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    Connection& connection_;
  };

  [[nodiscard]] sdbus::IConnection& bus() { return *bus_; }
  [[nodiscard]] RootProxy& root() { return *root_; }
  [[nodiscard]] const std::shared_ptr<Dispatcher::Queue>& handlers() const { return dispatcher_.queue(); }
  [[nodiscard]] std::chrono::microseconds timeout() const { return timeout_; }

  /// Every object of the service, by path. Throws sdbus::Error.
  [[nodiscard]] std::map<std::string, Interfaces> objects();

 private:
  void wake() noexcept;

  std::chrono::microseconds timeout_;
  std::unique_ptr<sdbus::IConnection> bus_;
  std::unique_ptr<sdbus::IProxy> daemon_;  ///< the bus itself
  std::unique_ptr<RootProxy> root_;
  Dispatcher dispatcher_;  // ends before the bus: its last task may still let go of proxies
  std::thread loop_;
};

}  // namespace dofa::client
