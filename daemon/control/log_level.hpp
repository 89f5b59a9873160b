// SPDX-License-Identifier: Apache-2.0
// Syslog's words for the logger's levels, as `systemctl service-log-level` and dofad.yaml spell them.
// Thread-safe.
#pragma once

#include <string>

#include "daemon/base.hpp"

namespace dofa::control {

/// Accepts emerg, alert, crit, err, warning, notice, info, debug; kInvalidArgument otherwise.
Result<void> set_log_level(const std::string& word);
std::string log_level();
/// The default logger on stderr: with syslog prefixes and without time stamps under journald, else with both.
void set_up_log();

}  // namespace dofa::control
