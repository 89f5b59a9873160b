// SPDX-License-Identifier: Apache-2.0
#include "daemon/options.hpp"

#include <map>

namespace dofa {

Result<CommandLine> parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  const std::map<std::string, Action> flags{
      {"--check-config", Action::kCheckConfig}, {"--version", Action::kVersion}, {"--help", Action::kHelp}};
  const std::map<std::string, std::string CommandLine::*> values{
      {"--config", &CommandLine::config},
      {"--bus", &CommandLine::bus},
      {"--root", &CommandLine::root},
      {"--log-level", &CommandLine::log_level},
      {"--verify-family", &CommandLine::argument},
      {"--parse-tegrastats", &CommandLine::argument}};
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    if (const auto flag = flags.find(word); flag != flags.end()) {
      line.action = flag->second;
      continue;
    }
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const auto option = values.find(name);
    if (option == values.end())
      return Error{ErrorCode::kInvalidArgument, "'" + word + "' is not an option of dofad"};
    if (equals == std::string::npos && ++i >= argc) {
      return Error{ErrorCode::kInvalidArgument, "'" + name + "' needs a value"};
    }
    line.*option->second = equals == std::string::npos ? argv[i] : word.substr(equals + 1);
    line.config_given |= name == "--config";
    if (name == "--verify-family") line.action = Action::kVerifyFamily;
    if (name == "--parse-tegrastats") line.action = Action::kParseTegrastats;
  }
  return line;
}

std::string usage() {
  return "usage: dofad [OPTION]...\n"
         "The inference service that keeps its promises while the machine is busy.\n"
         "\n"
         "  --config FILE           configuration (default " +
         std::string(kDefaultConfig) +
         ")\n"
         "  --check-config          read the configuration, say what is wrong with it, and exit\n"
         "  --bus BUS               system (default), session, or a D-Bus address\n"
         "  --root DIR              where /proc and /sys are looked for (default /)\n"
         "  --log-level LEVEL       debug, info, notice, warning, err or crit\n"
         "  --verify-family DIR     dry-run every level of the family in DIR, and exit\n"
         "  --parse-tegrastats FILE print what the monitor reads in each line of FILE as JSON, and exit\n"
         "  --version               print the version, and exit\n"
         "  --help                  print this, and exit\n"
         "\n"
         "Exit codes: 0 success, 1 failure, 2 wrong command line or configuration.\n";
}

}  // namespace dofa
