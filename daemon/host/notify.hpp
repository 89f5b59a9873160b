// SPDX-License-Identifier: Apache-2.0
// Talking to the service manager (sd_notify's protocol: man 3 sd_notify), by hand because it is one datagram
// and would otherwise be the only reason to link libsystemd here. Every call does nothing where no manager
// listens. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace dofa::host {

/// Sends e.g. "READY=1" or "STATUS=…" to $NOTIFY_SOCKET. False where it is set and the datagram could not be
/// sent.
bool notify(const std::string& state);

/// While starting: what is going on, and that it may take another `patience_s` seconds, whatever
/// TimeoutStartSec= says.
bool notify_start(const std::string& status, std::int64_t patience_s);

/// The watchdog's interval, µs, where the manager set one for this process ($WATCHDOG_USEC, $WATCHDOG_PID).
std::optional<std::int64_t> watchdog_interval_us();

}  // namespace dofa::host
