// SPDX-License-Identifier: Apache-2.0
// dofa-model: the offline half of dofad. It makes families out of Once-for-all checkpoints, calibrates,
// measures and exports their sub-networks. Data goes to stdout, words to stderr.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "models/tool/command.hpp"

namespace {

using dofa::tool::Verb;

constexpr const char* kExitCodes =
    "\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 a file or name was not found.\n";

void print_help() {
  std::puts(
      "dofa-model: make, calibrate, measure and export families for dofad\n\nUsage: dofa-model VERB "
      "[ARGUMENTS]\n");
  for (const Verb& verb : dofa::tool::verbs())
    std::printf("  %-11.*s %.*s\n", static_cast<int>(verb.name.size()), verb.name.data(),
                static_cast<int>(verb.summary.size()), verb.summary.data());
  std::puts("\ndofa-model VERB --help tells more of a verb; --json prints its result for machines.");
  std::fputs(kExitCodes, stdout);
}

void print_help(const Verb& verb) {
  std::printf("Usage: dofa-model %s %s\n\n%s\n\n", verb.name.data(), verb.arguments.data(),
              verb.summary.data());
  for (const auto& option : verb.options) {
    const std::string left = std::string(option.name) + " " + std::string(option.value);
    std::printf("  %-24s %s\n", left.c_str(), option.help.data());
  }
  std::fputs(kExitCodes, stdout);
}

int fail(const std::string& message, int code) {
  std::fprintf(stderr, "dofa-model: %s\n", message.c_str());
  return code;
}

int run(const std::vector<std::string>& words) {
  using namespace dofa::tool;
  if (words.empty()) return fail("a verb is needed; see dofa-model --help", kExitUsage);
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    print_help();
    return kExitOk;
  }
  const auto table = verbs();
  const auto verb = std::ranges::find(table, words[0], &Verb::name);
  if (verb == table.end()) return fail("unknown verb '" + words[0] + "'; see dofa-model --help", kExitUsage);
  const std::vector<std::string> rest(words.begin() + 1, words.end());
  if (std::ranges::find(rest, "--help") != rest.end()) {
    print_help(*verb);
    return kExitOk;
  }
  dofa::Result<int> result = kExitOk;
  try {
    result = verb->run(Arguments(verb->options, rest));
  } catch (const UsageError& error) {
    if (!error.show_usage) throw;
    return fail(
        error.message + ": dofa-model " + std::string(verb->name) + " " + std::string(verb->arguments),
        kExitUsage);
  }
  if (result) return *result;
  return fail(result.error().message,
              result.error().code == dofa::ErrorCode::kNotFound ? kExitNotFound : kExitFailed);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const dofa::tool::UsageError& error) {
    return fail(error.message, dofa::tool::kExitUsage);
  } catch (
      const std::exception& error) {  // out of memory, or LibTorch's: its message goes on with a backtrace
    const std::string text = error.what();
    return fail(text.substr(0, text.find('\n')), dofa::tool::kExitFailed);
  }
}
