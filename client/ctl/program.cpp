// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <clocale>
#include <cstdlib>
#include <exception>

namespace dofa::ctl {

namespace {

ColorMode color_mode(const CommandLine& line) {
  const std::string word = line.text("--color").value_or("auto");
  if (word == "auto") return ColorMode::kAuto;
  if (word == "always") return ColorMode::kAlways;
  if (word == "never") return ColorMode::kNever;
  throw UsageError("option '--color' wants auto, always or never, not '" + word + "'");
}

void check_arguments(const Verb& verb, std::size_t count) {
  const std::string usage = ": dofactl " + std::string(verb.name) + " " + std::string(verb.arguments);
  if (count < verb.fewest) throw UsageError("'" + std::string(verb.name) + "' needs more arguments" + usage);
  if (count > verb.most && verb.most == 0)
    throw UsageError("'" + std::string(verb.name) + "' takes no arguments");
  if (count > verb.most) throw UsageError("'" + std::string(verb.name) + "' takes fewer arguments" + usage);
}

/// Takes the places of closed standard streams, so that no socket is opened there and written to. What is
/// read from or written to them still fails, as it must.
void fill_standard_streams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) (void)::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

}  // namespace

int run_verb(const Verb& verb, const std::vector<std::string>& words, bool named) {
  std::vector<Option> known(global_options().begin(), global_options().end());
  known.insert(known.end(), verb.options.begin(), verb.options.end());

  Context context;
  context.words = words;
  context.line = parse_options(words, known);
  context.json = context.line.has("--json");
  if (context.line.has("--help") || context.line.has("-h")) {
    context.line = CommandLine(named ? std::vector{std::string(verb.name)} : std::vector<std::string>{}, {});
    return run_help(context);
  }
  check_arguments(verb, context.line.arguments().size());
  context.color = color_mode(context.line);
  const char* bus = std::getenv("DOFA_BUS");
  context.connect_options.bus =
      context.line.text("--bus").value_or(bus != nullptr && *bus != '\0' ? bus : "system");
  if (const auto seconds = context.line.number("--timeout", 0.001, 86'400))
    context.connect_options.timeout = std::chrono::microseconds(static_cast<std::int64_t>(*seconds * 1e6));
  return verb.run(context);
}

int guarded_main(const std::function<int()>& run) {
  fill_standard_streams();
  ::signal(SIGPIPE, SIG_IGN);  // a write then fails, which print() tells from other failures
  if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr) std::setlocale(LC_CTYPE, "");
  try {
    return run();
  } catch (const OutputClosed&) {
    return kExitOk;
  } catch (const UsageError& error) {
    complain(error.what());
    return kExitUsage;
  } catch (const client::Error& error) {
    complain(error.what());
    return exit_code_of(error.code());
  } catch (const std::exception& error) {
    complain(error.what());
    return kExitFailed;
  }
}

}  // namespace dofa::ctl
