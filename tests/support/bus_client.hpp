// SPDX-License-Identifier: Apache-2.0
// The service's objects as raw D-Bus sees them, through the generated proxies: for tests that say what
// libdofa-client would not, and for measuring without it. Calls only: signals pass unheard. Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "dbus/manager_proxy.hpp"
#include "dbus/session_proxy.hpp"
#include "proto/compat.hpp"
#include "proto/names.hpp"

namespace dofa::test {

using Dictionary = std::map<std::string, sdbus::Variant>;

inline std::unique_ptr<sdbus::IConnection> connect_to(const std::string& address) {
  return sdbus::createSessionBusConnectionWithAddress(address);
}

class BusManager final : public sdbus::ProxyInterfaces<org::dofa::Dofa1::Manager_proxy> {
 public:
  explicit BusManager(sdbus::IConnection& connection)
      : ProxyInterfaces(connection, proto::BusName{proto::kBusName}, sdbus::ObjectPath{proto::kRootPath}) {}
  ~BusManager() = default;
};

class BusSession final : public sdbus::ProxyInterfaces<org::dofa::Dofa1::Session_proxy> {
 public:
  BusSession(sdbus::IConnection& connection, const std::string& path)
      : ProxyInterfaces(connection, proto::BusName{proto::kBusName}, sdbus::ObjectPath{path}) {}
  ~BusSession() = default;

 private:
  void onSubnetChanged(const std::string&, const std::string&, const std::string&,
                       const std::string&) override {}
  void onContractUnmet(const std::string&, const Dictionary&) override {}
  void onClosed(const std::string&) override {}
};

/// What a call failed with: the name behind org.dofa.Dofa1.Error., a foreign error's full name, or "no
/// error".
template <class Call>
std::string error_of(Call&& call) {
  try {
    call();
    return "no error";
  } catch (const sdbus::Error& error) {
    if (error.getMessage().find('\n') != std::string::npos) return "a message of several lines";
    const std::string name = error.getName();
    return name.starts_with(proto::kErrorPrefix) ? name.substr(proto::kErrorPrefix.size()) : name;
  }
}

/// A format or contract key's value.
template <class T>
sdbus::Variant variant(T value) {
  return sdbus::Variant{value};
}

}  // namespace dofa::test
