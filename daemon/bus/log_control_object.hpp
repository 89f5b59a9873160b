// SPDX-License-Identifier: Apache-2.0
// org.freedesktop.LogControl1: the log's level, changeable while running (`systemctl service-log-level
// dofad`).
#pragma once

#include <string>

#include "dbus/logcontrol1_adaptor.hpp"
#include "proto/compat.hpp"

namespace dofa::bus {

class LogControlObject final : public sdbus::AdaptorInterfaces<org::freedesktop::LogControl1_adaptor> {
 public:
  explicit LogControlObject(sdbus::IConnection& connection);
  ~LogControlObject();

 private:
  std::string LogLevel() override;
  void LogLevel(const std::string& value) override;
  std::string LogTarget() override;
  void LogTarget(const std::string& value) override;
  std::string SyslogIdentifier() override;
};

}  // namespace dofa::bus
