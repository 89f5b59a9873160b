// SPDX-License-Identifier: Apache-2.0
// What dofactl exits with, and the exception for a command line that makes no sense. Values only.
#pragma once

#include <dofa/client_types.hpp>

#include <stdexcept>
#include <string>

namespace dofa::ctl {

/// Documented in `dofactl help`; scripts rely on them.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,
  kExitUsage = 2,
  kExitNotFound = 3,
  kExitNotAuthorized = 4,
  kExitTimedOut = 5,
  kExitUnreachable = 7,
};

inline ExitCode exit_code_of(client::ErrorCode code) {
  switch (code) {
    case client::ErrorCode::kNotFound:
      return kExitNotFound;
    case client::ErrorCode::kNotAuthorized:
      return kExitNotAuthorized;
    case client::ErrorCode::kTimedOut:
      return kExitTimedOut;
    case client::ErrorCode::kUnreachable:
      return kExitUnreachable;
    default:
      return kExitFailed;
  }
}

/// The caller's mistake; what() is the one line that names it.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace dofa::ctl
