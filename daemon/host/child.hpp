// SPDX-License-Identifier: Apache-2.0
// Runs a helper program for a limited time: what must not be able to hang or crash the service runs there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/base.hpp"

namespace dofa::host {

struct ChildOutcome {
  int exit_code = -1;      ///< -1 where it did not exit by itself
  bool timed_out = false;  ///< killed because the time was up
  std::string output;      ///< its stdout, cut at 64 KiB
};

/// Starts `arguments[0]` (a path) with no stdin, collects its stdout, and kills it after `timeout_ms`. Blocks
/// the caller until the child is gone. kFailed where it cannot be started. Thread-safe.
Result<ChildOutcome> run_child(const std::vector<std::string>& arguments, std::int64_t timeout_ms);

}  // namespace dofa::host
