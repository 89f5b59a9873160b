// SPDX-License-Identifier: Apache-2.0
// Why the bus does not let a user talk to the service, in words. The shipped policy lets root and the members
// of one group in. Stateless.
#pragma once

#include <string>

namespace dofa::client {

enum class Membership {
  kIrrelevant,  ///< root, or the process is a member: the refusal has another cause
  kNone,        ///< the user is no member
  kNotYet,      ///< a member since this login began
  kNoGroup,     ///< there is no such group here
};

/// Of this process and its user. Asks the system's user database.
Membership membership();
/// The name of this process's user, or its number.
std::string user_name();

/// "user bob may not talk to dofad: not in the group dofad (sudo adduser bob dofad, then log in again)"; the
/// bus's own words where membership is not the reason. Pure.
std::string explained(const std::string& refusal, const std::string& user, Membership membership);

}  // namespace dofa::client
