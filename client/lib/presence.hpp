// SPDX-License-Identifier: Apache-2.0
// Hears the service's name change hands on the bus: it appears, vanishes, is restarted. The handler runs on
// the bus's thread.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "dbus/dbus_proxy.hpp"
#include "proto/compat.hpp"
#include "proto/names.hpp"

namespace dofa::client {

class PresenceProxy final : public sdbus::ProxyInterfaces<org::freedesktop::DBus_proxy> {
 public:
  /// Unique bus names; empty = nobody.
  using OnChange = std::function<void(const std::string& old_owner, const std::string& new_owner)>;

  PresenceProxy(sdbus::IConnection& connection, OnChange on_change)
      : ProxyInterfaces(connection, proto::BusName{"org.freedesktop.DBus"},
                        sdbus::ObjectPath{"/org/freedesktop/DBus"}),
        on_change_(std::move(on_change)) {
    registerProxy();
  }
  ~PresenceProxy() { unregisterProxy(); }

 private:
  void onNameOwnerChanged(const std::string& name, const std::string& old_owner,
                          const std::string& new_owner) override {
    if (name == proto::kBusName) on_change_(old_owner, new_owner);
  }

  OnChange on_change_;
};

}  // namespace dofa::client
