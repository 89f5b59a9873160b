// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus/log_control_object.hpp"

#include "daemon/bus/caller.hpp"
#include "daemon/bus/guard.hpp"
#include "daemon/control/log_level.hpp"

namespace dofa::bus {

LogControlObject::LogControlObject(sdbus::IConnection& connection)
    : AdaptorInterfaces(connection, sdbus::ObjectPath{"/org/freedesktop/LogControl1"}) {
  registerAdaptor();
}

LogControlObject::~LogControlObject() {
  unregisterAdaptor();
}

std::string LogControlObject::LogLevel() {
  return control::log_level();
}

void LogControlObject::LogLevel(const std::string& value) {
  guard("LogLevel", [&] {
    // Not for polkit: systemctl does it as root, and a property cannot wait for a password.
    if (!is_own_administrator(caller_of(getObject()))) {
      throw to_dbus({ErrorCode::kNotAuthorized, "the log's level is for administrators"});
    }
    require(control::set_log_level(value));
    spdlog::info("log level set to {}", value);
  });
}

std::string LogControlObject::LogTarget() {
  return "console";
}

void LogControlObject::LogTarget(const std::string& value) {
  guard("LogTarget", [&] {
    if (value != "console")
      throw to_dbus({ErrorCode::kNotSupported, "the log goes to stderr, which systemd collects"});
  });
}

std::string LogControlObject::SyslogIdentifier() {
  return "dofad";
}

}  // namespace dofa::bus
