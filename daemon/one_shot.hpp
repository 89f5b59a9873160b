// SPDX-License-Identifier: Apache-2.0
// What dofad does instead of serving: the dry run of a family, which the service runs in a child of its own,
// and the reading of a tegrastats log.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/base.hpp"

namespace dofa {

/// Dry-runs the family in `directory` in a child process for at most `timeout_s`: an endless loop or a crash
/// in a module's code costs the child only. kInvalidFamily says what is wrong with it.
Result<void> verify_in_child(const std::string& directory, std::uint32_t timeout_s);

/// The child's half: loads the family, runs every level once, prints what is wrong. Exit code.
int verify_family(const std::string& directory);

/// Prints what the monitor reads in each line of a tegrastats log as JSON. Exit code.
int parse_tegrastats(const std::string& path);

}  // namespace dofa
