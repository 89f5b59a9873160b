// SPDX-License-Identifier: Apache-2.0
// dofad's command line. Values only.
#pragma once

#include <string>

#include "daemon/base.hpp"

namespace dofa {

inline constexpr const char* kDefaultConfig = "/etc/dofad/dofad.yaml";

enum class Action : std::uint8_t { kServe, kCheckConfig, kVersion, kHelp, kVerifyFamily, kParseTegrastats };

struct CommandLine {
  Action action = Action::kServe;
  std::string config = kDefaultConfig;
  bool config_given = false;  ///< a missing default file means defaults, a missing given one is an error
  std::string bus = "system";
  std::string root = "/";
  std::string log_level;  ///< empty = the configuration's
  std::string argument;   ///< directory or file of the last two actions
};

/// kInvalidArgument names the word that is wrong.
Result<CommandLine> parse_command_line(int argc, const char* const* argv);
std::string usage();

}  // namespace dofa
