// SPDX-License-Identifier: Apache-2.0
// Completion: what dofactl offers for a line, and that bash puts it there.
#include "client/ctl/completion.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "tests/support/catch.hpp"
#include "tests/support/private_bus.hpp"
#include "tests/unit/client/fake_service.hpp"
#include "tests/unit/client/program.hpp"

using namespace dofa::test;
using dofa::ctl::Completion;
using Words = std::vector<std::string>;

namespace {

const std::string kScript = std::string(DOFA_SOURCE_DIR) + "/client/completions/dofactl";

Completion offered(const Words& words) {
  static const dofa::ctl::NameSource names{.families =
                                               [] {
                                                 return Words{"pets", "plants", "cars"};
                                               },
                                           .sessions =
                                               [] {
                                                 return Words{"7", "71", "8"};
                                               },
                                           .processors =
                                               [] {
                                                 return Words{"cpu", "cuda:0"};
                                               }};
  return dofa::ctl::complete(words, names);
}

Words candidates(const Words& words) {
  return offered(words).words;
}

}  // namespace

TEST_CASE("each place of a command line has its candidates") {
  CHECK(candidates({"sta"}) == Words{"status"});
  CHECK(candidates({"s"}) == Words{"sessions", "set", "show", "status", "stream"});
  CHECK(candidates({"li"}) == Words{"list"});
  CHECK(candidates({"comp"}).empty());  // for programs
  CHECK(candidates({"nonsense", ""}).empty());
  CHECK(candidates({"--co"}) == Words{"--color"});
  CHECK(candidates({"--color", ""}) == Words{"always", "auto", "never"});
  CHECK(candidates({"--color=a"}) == Words{"--color=always", "--color=auto"});
  CHECK(candidates({"--json", "stat"}) == Words{"status"});
  CHECK(candidates({"--bus", "system", "unl"}) == Words{"unload"});
  CHECK(candidates({"unload", "--f"}) == Words{"--force"});
  CHECK(candidates({"show", "p"}) == Words{"pets", "plants"});
  CHECK(candidates({"profile", "c"}) == Words{"cars"});
  CHECK(candidates({"show", "pets", ""}).empty());  // takes one
  CHECK(candidates({"unload", "--force", ""}) == Words{"cars", "pets", "plants"});
  CHECK(candidates({"classify", "--family", "c"}) == Words{"cars"});
  CHECK(candidates({"classify", "--family=pl"}) == Words{"--family=plants"});
  CHECK(candidates({"set", ""}) == Words{"7", "71", "8"});
  CHECK(candidates({"set", "7", "p"}) == Words{"percentile=", "period-us=", "priority=", "processor="});
  CHECK(candidates({"set", "7", "objective=la"}) == Words{"objective=latency"});
  CHECK(candidates({"set", "7", "level=0", "when-late="}) == Words{"when-late=deliver", "when-late=drop"});
  CHECK(candidates({"set", "7", "processor=c"}) == Words{"processor=cpu", "processor=cuda:0"});
  CHECK(candidates({"classify", "--contract", "min"}) == Words{"min-accuracy="});
  CHECK(candidates({"bench-client", "--format", "n"}) == Words{"nv12"});
  CHECK(candidates({"help", "rel"}) == Words{"reload"});
  CHECK(candidates({"config", ""}) == Words{"check"});
  CHECK(candidates({"record", "--session", "7"}) == Words{"7", "71"});
  CHECK(candidates({"status", ""}).empty());
  CHECK(candidates({}).size() > 10);
}

TEST_CASE("files are left to the shell") {
  CHECK(offered({"classify", ""}).files == Completion::Files::kFiles);
  CHECK(offered({"classify", "a.png", "b"}).files == Completion::Files::kFiles);
  CHECK(offered({"load", ""}).files == Completion::Files::kDirectories);
  CHECK(offered({"plot", "a.jsonl", "-o", ""}).files == Completion::Files::kFiles);
  CHECK(offered({"config", "check", ""}).files == Completion::Files::kFiles);
  CHECK(offered({"classify", "--", "--"}).files == Completion::Files::kFiles);
  CHECK(offered({"status", ""}).files == Completion::Files::kNone);
}

TEST_CASE("without a service only its names are missing") {
  const dofa::ctl::NameSource broken{
      .families = []() -> Words { throw std::runtime_error("away"); }, .sessions = {}, .processors = {}};
  CHECK(dofa::ctl::complete(Words{"show", ""}, broken).words.empty());
  CHECK(dofa::ctl::complete(Words{"set", ""}, broken).words.empty());
  CHECK(dofa::ctl::complete(Words{"sta"}, broken).words == Words{"status"});
}

namespace {

/// What the script would have bash put there: COMP_WORDS as bash splits `line`, the cursor at its end.
Words from_bash(const std::string& line, const std::string& bus) {
  // `read` with bash's own separators, which are words themselves where they are no blanks.
  const std::string program =
      "source '" + kScript +
      "'\n"
      "complete() { :; }; compopt() { echo \"compopt $*\"; }\n"
      "COMP_LINE=$1 COMP_POINT=${#1}\n"
      "spaced=${1//=/ = }; spaced=${spaced//:/ : }; read -ra COMP_WORDS <<<\"$spaced\"\n"
      "[[ $1 == *' ' ]] && COMP_WORDS+=('')\n"
      "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_dofactl\nprintf '%s\\n' \"${COMPREPLY[@]}\"";
  const std::map<std::string, std::string> environment{{"DOFA_BUS", bus}};
  Program bash({"/bin/bash", "--norc", "--noprofile", "-c", program, "bash", line}, environment);
  CHECK(bash.wait() == 0);
  CHECK(bash.err() == "");
  Words words;
  std::istringstream out(bash.out());
  for (std::string word; std::getline(out, word);) {
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

}  // namespace

TEST_CASE("bash offers verbs, options, keys, and what the service has now") {
  const PrivateBus bus;
  FakeService service(bus.address());
  const auto first = service.open_session("camera", {});
  const auto second = service.open_session("robot", {});
  const std::string dofactl = DOFACTL_PROGRAM;
  const auto ask = [&](const std::string& line) { return from_bash(dofactl + " " + line, bus.address()); };
  CHECK(ask("sess") == Words{"sessions"});
  CHECK(ask("show ") == Words{"pets"});
  CHECK(ask("set ") == Words{first, second});
  CHECK(ask("set 7 latency") == Words{"compopt -o nospace", "latency-budget-us="});
  // After a separator bash replaces only what follows it.
  CHECK(ask("set 7 when-late=") == Words{"deliver", "drop"});
  CHECK(ask("set 7 when-late=de") == Words{"deliver"});
  CHECK(ask("--color=al") == Words{"always"});
  CHECK(ask("classify ") == Words{"compopt -o default"});
  CHECK(ask("load ") == Words{"compopt -o dirnames"});
  CHECK(ask("status ").empty());
  // The bus that the line itself names, not the environment's.
  CHECK(from_bash(dofactl + " --bus " + bus.address() + " show ", "unix:path=/nonexistent") == Words{"pets"});
  CHECK(from_bash(dofactl + " show ", "unix:path=/nonexistent").empty());
}

namespace {

/// An interactive bash on a terminal of its own.
class Shell {
 public:
  explicit Shell(const std::string& bus) {
    winsize size{.ws_row = 24, .ws_col = 200, .ws_xpixel = 0, .ws_ypixel = 0};
    pid_ = ::forkpty(&terminal_, nullptr, nullptr, &size);
    if (pid_ == 0) {
      ::setenv("DOFA_BUS", bus.c_str(), 1);
      ::setenv("TERM", "dumb", 1);
      ::setenv("INPUTRC", "/dev/null", 1);
      const auto folder = std::filesystem::path(DOFACTL_PROGRAM).parent_path().string();
      ::setenv("PATH", (folder + ":/usr/bin:/bin").c_str(), 1);
      ::execl("/bin/bash", "bash", "--norc", "--noprofile", "-i", nullptr);
      ::_exit(127);
    }
  }
  ~Shell() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(terminal_);
  }
  void type(const std::string& keys) {
    REQUIRE(::write(terminal_, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
  }
  /// Reads until `words` appear.
  bool shows(const std::string& words) {
    while (seen_.find(words) == std::string::npos) {
      pollfd waiting{terminal_, POLLIN, 0};
      char chunk[4096];
      if (::poll(&waiting, 1, 10'000) <= 0) return false;
      const auto got = ::read(terminal_, chunk, sizeof chunk);
      if (got <= 0) return false;
      seen_.append(chunk, static_cast<std::size_t>(got));
    }
    seen_.erase(0, seen_.find(words) + words.size());
    return true;
  }
  [[nodiscard]] const std::string& seen() const { return seen_; }

 private:
  int terminal_ = -1;
  pid_t pid_ = -1;
  std::string seen_;
};

}  // namespace

TEST_CASE("at a prompt, the tabulator key completes") {
  const PrivateBus bus;
  FakeService service(bus.address());
  service.open_session("camera", {});
  Shell shell(bus.address());
  shell.type("PS1='ready'; source '" + kScript + "'; echo so\"\"urced\n");
  REQUIRE(shell.shows("sourced"));
  // Echoed back with what the key filled in, and a blank where the word is complete.
  shell.type("echo dofactl; dofactl sess\t#");
  INFO(shell.seen());
  CHECK(shell.shows("dofactl sessions #"));
  shell.type(
      "\x15"
      "dofactl set \twhen\tdr\t#");
  CHECK(shell.shows("dofactl set 7 when-late=drop #"));
  shell.type(
      "\x15"
      "dofactl show p\t#");
  CHECK(shell.shows("dofactl show pets #"));
}
