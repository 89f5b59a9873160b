// SPDX-License-Identifier: Apache-2.0
// Who sent the message being handled. Only inside a callback of `object`, on the bus thread.
#pragma once

#include <unistd.h>

#include <string>

#include "daemon/bus/guard.hpp"
#include "proto/compat.hpp"

namespace dofa::bus {

/// The caller's unique bus name.
inline std::string caller_name(const sdbus::IObject& object) { return proto::current_message(object).getSender(); }

/// The caller's user; asks the bus. NotAuthorized where the caller has gone meanwhile.
inline std::uint32_t caller_uid(const sdbus::IObject& object) {
  try {
    return proto::current_message(object).getCredsEuid();
  } catch (const sdbus::Error&) {
    throw to_dbus({ErrorCode::kNotAuthorized, "the caller has gone"});
  }
}

/// True for root and for the user that the service itself runs as.
inline bool caller_is_administrator(const sdbus::IObject& object) {
  const std::uint32_t uid = caller_uid(object);
  return uid == 0 || uid == geteuid();
}

inline void require_administrator(const sdbus::IObject& object, const char* what) {
  if (!caller_is_administrator(object)) {
    throw to_dbus({ErrorCode::kNotAuthorized, std::string(what) + " is for administrators"});
  }
}

}  // namespace dofa::bus
