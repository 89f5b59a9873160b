// SPDX-License-Identifier: Apache-2.0
// Who sent the message being handled. Only inside a callback of `object`, on the bus thread.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <string>

#include "daemon/bus/guard.hpp"
#include "proto/compat.hpp"

namespace dofa::bus {

/// The caller's unique bus name.
inline std::string caller_name(const sdbus::IObject& object) {
  return proto::current_message(object).getSender();
}

/// The caller's user; asks the bus. NotAuthorized where the caller has gone meanwhile.
inline std::uint32_t caller_uid(const sdbus::IObject& object) {
  try {
    return proto::current_message(object).getCredsEuid();
  } catch (const sdbus::Error&) {
    throw to_dbus({ErrorCode::kNotAuthorized, "the caller has gone"});
  }
}

struct Caller {
  std::string name;  ///< unique bus name
  std::uint32_t uid = 0;
};
inline Caller caller_of(const sdbus::IObject& object) {
  return {caller_name(object), caller_uid(object)};
}

/// Root and the user that the service itself runs as.
inline bool is_own_administrator(const Caller& caller) {
  return caller.uid == 0 || caller.uid == geteuid();
}

}  // namespace dofa::bus
