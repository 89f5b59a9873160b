// SPDX-License-Identifier: Apache-2.0
// Every command in README.md's shell blocks is run as it stands there, against a dofad on a private bus, but
// for those that kLeftOut lists with the reason. One that no rule knows fails the test: who writes a command
// there says here how it is run. The C++ block is compiled, the YAML block is read as the family that it is.
#include <signal.h>
#include <dofa/client.hpp>
#include <opencv2/imgcodecs.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <regex>
#include <sstream>

#include "daemon/config/family.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/daemon.hpp"
#include "tests/support/script_family.hpp"

using namespace dofa;
using namespace dofa::test;
namespace fs = std::filesystem;

namespace {

struct Block {
  std::string language;
  std::size_t line = 0;  ///< of its first line in README.md
  std::string text;
};

struct Command {
  std::size_t line = 0;
  std::string text;
};

std::vector<Block> blocks_of(const std::string& readme) {
  std::vector<Block> blocks;
  std::istringstream stream(readme);
  std::string line;
  bool inside = false;
  for (std::size_t number = 1; std::getline(stream, line); ++number) {
    if (line.starts_with("```")) {
      inside = !inside;
      if (inside) blocks.push_back({line.substr(3), number + 1, ""});
    } else if (inside) {
      blocks.back().text += line + "\n";
    }
  }
  return blocks;
}

/// Lines without their comments; those that end in a backslash with the next.
std::vector<Command> commands_of(const Block& block) {
  std::vector<Command> commands;
  std::istringstream stream(block.text);
  std::string line, joined;
  for (std::size_t number = block.line; std::getline(stream, line); ++number) {
    line = std::regex_replace(line, std::regex("(^|\\s+)#.*$"), "");
    joined += line;
    if (joined.ends_with('\\')) {
      joined.back() = ' ';
      continue;
    }
    if (joined.find_first_not_of(' ') != joined.npos) commands.push_back({number, joined});
    joined.clear();
  }
  return commands;
}

/// Not run here, and why.
struct LeftOut {
  const char* pattern;
  const char* reason;
};
constexpr LeftOut kLeftOut[] = {
    {R"(^\./bootstrap\.sh( |$))", "builds everything: it is what runs this test"},
    {R"(^sudo )", "needs root, and changes the machine"},
    {R"(^(apt|apt-get|dpkg) )", "needs root, and changes the machine"},
    {R"(^(systemctl|journalctl|systemd-\S+) )", "needs a running systemd: tests/boot has one"},
    {R"(^dofactl top)", "fills a screen: unit.ctl drives it in tmux"},
    {R"(^dofa-model train )", "takes hours: unit.train trains small ones"},
    {R"(^dofa-model (search|profile \S+ --table) )",
     "measures and searches for minutes: unit.search has the parts"},
    {R"(^(build-cuda/|ctest --test-dir build-cuda ))", "needs a build for GPUs: its tests are labelled gpu"},
    {R"(^dofactl stream video)", "there is no video: unit.client makes one"},
};

/// How the others are run: after `shell` has made of the line what is there in a test.
struct Rule {
  const char* pattern;
  int seconds = 0;                   ///< interrupted (SIGINT) after so long; 0 = ends by itself
  const char* checkpoint = nullptr;  ///< needs ../shared's
};
constexpr Rule kRules[] = {
    {R"(^dofactl monitor)", 2},
    {R"(^dofactl stream .*--loop)", 3},
    {R"(^dofactl record )"},  // shortened by its substitution
    {R"(^dofactl (status|families|list|show|classify|stream|bench-client|sessions|set|load|unload|plot|config check|version|help)\b)"},
    {R"(^dofa-model (import|add-subnet|calibrate|eval|show|export|profile)\b)", 0,
     "reference/ofa/supernet.pth"},
    {R"(^busctl (call|tree|introspect|monitor) )"},
};

class Reader {
 public:
  Reader() {
    fs::create_directory(home_.path() / "families");
    fs::create_directory(home_.path() / "bin");
    const std::string accuracy = "{top1: 0.7, top5: 0.9, dataset: colours, images: 4}";
    write_script_family(home_.path() / "families/mobilenet", "mobilenet",
                        {{"small", colour_net(5), "{top1: 0.5, top5: 0.9, dataset: colours, images: 4}"},
                         {"large", colour_net(9), accuracy}});
    std::string roots = (home_.path() / "families").string();
    if (fs::exists(fs::path(DOFA_SOURCE_DIR) / "models/cifar10/family.yaml"))
      roots += ", " DOFA_SOURCE_DIR "/models";
    daemon_ = std::make_unique<Daemon>("families:\n  roots: [" + roots +
                                       "]\n  profiles: " + (home_.path() / "profiles").string() + "\n");
    client_.emplace(client::Client::connect({.bus = daemon_->bus()}));
    session_.emplace(client_->open_session("readme", "mobilenet", {}));
    make_pictures();
    // busctl knows no environment variable for its bus.
    write_file(home_.path() / "bin/busctl",
               "#!/bin/sh\nexec /usr/bin/busctl --address='" + daemon_->bus() + "' \"$@\"\n");
    fs::permissions(home_.path() / "bin/busctl", fs::perms::owner_all);
  }

  /// The exit code; what was said is in output().
  int run(const Command& command, const Rule& rule) {
    std::string line = substituted(command.text);
    if (rule.seconds > 0)
      line = "timeout --preserve-status -s INT " + std::to_string(rule.seconds) + " " + line;
    const auto log = home_.path() / "log";
    fs::remove(log);
    const std::string script = "set -e -o pipefail\ncd '" + (home_.path() / "work").string() +
                               "'\nexport DOFA_BUS='" + daemon_->bus() + "' PATH='" +
                               (home_.path() / "bin").string() + ":" DOFA_BINARY_DIR ":" +
                               std::getenv("PATH") + "'\n" + line + "\n";
    Process bash({"/bin/bash", "-c", script}, log);
    const int code = bash.wait(120'000);
    output_ = line + "\n" + read_file(log);
    return code;
  }
  [[nodiscard]] const std::string& output() const { return output_; }
  [[nodiscard]] const fs::path& home() const { return home_.path(); }

  /// The checkpoint that the README's user has downloaded.
  void provide_checkpoint(const fs::path& file) {
    const auto here = home_.path() / "work/ofa_mbv3_d234_e346_k357_w1.0";
    if (!fs::exists(here)) fs::create_symlink(file, here);
  }

 private:
  void make_pictures() {
    const auto work = home_.path() / "work";
    for (const char* folder : {"photos", "labelled/red", "labelled/green"})
      fs::create_directories(work / folder);
    const cv::Mat red(64, 96, CV_8UC3, cv::Scalar(20, 20, 220)),
        green(64, 96, CV_8UC3, cv::Scalar(20, 220, 20));
    for (const auto& [file, image] :
         {std::pair{"photo.jpg", &red}, std::pair{"photos/1.jpg", &red}, std::pair{"photos/2.png", &green},
          std::pair{"labelled/red/1.png", &red}, std::pair{"labelled/green/1.png", &green}})
      REQUIRE(cv::imwrite((work / file).string(), *image));
  }

  /// What stands for something of the reader's own, as it is here.
  [[nodiscard]] std::string substituted(std::string line) const {
    const auto replace = [&](const std::string& pattern, const std::string& with) {
      line = std::regex_replace(line, std::regex(pattern), with);
    };
    replace(R"(\bSESSION\b)", session_->id());
    replace(R"(\bNAME\b)", "mobilenet");
    replace("/etc/dofad/dofad\\.yaml", DOFA_SOURCE_DIR "/etc/dofad.yaml");
    replace("/var/lib/dofad/families", (home_.path() / "families").string());
    replace(R"(--seconds [0-9]+)", "--seconds 1");
    replace(R"(\bbuild/)", DOFA_BINARY_DIR "/");
    return line;
  }

  TemporaryDirectory home_;
  std::unique_ptr<Daemon> daemon_;
  std::optional<client::Client> client_;
  std::optional<client::Session> session_;
  std::string output_;
};

const LeftOut* left_out(const std::string& command) {
  const auto found = std::ranges::find_if(
      kLeftOut, [&](const LeftOut& one) { return std::regex_search(command, std::regex(one.pattern)); });
  return found == std::end(kLeftOut) ? nullptr : &*found;
}

const Rule* rule_for(const std::string& command) {
  const auto found = std::ranges::find_if(
      kRules, [&](const Rule& one) { return std::regex_search(command, std::regex(one.pattern)); });
  return found == std::end(kRules) ? nullptr : &*found;
}

const std::string kReadme = std::string(DOFA_SOURCE_DIR) + "/README.md";

}  // namespace

TEST_CASE("blocks and their commands are read as a shell would") {
  const auto blocks =
      blocks_of("text\n```sh\n# alone\na b   # why\n\nc \\\n  d\n```\n`not this`\n```yaml\ne: 1\n```\n");
  REQUIRE(blocks.size() == 2);
  CHECK(blocks[1].language == "yaml");
  const auto commands = commands_of(blocks[0]);
  REQUIRE(commands.size() == 2);
  CHECK(commands[0].text == "a b");
  CHECK(commands[0].line == 4);
  CHECK(commands[1].text == "c    d");
  CHECK(rule_for("dofactl dance") == nullptr);
  CHECK(left_out("rm -rf /") == nullptr);
}

TEST_CASE("every command in the README works") {
  Reader reader;
  const auto shared = shared_data();
  std::size_t run = 0;
  for (const auto& block : blocks_of(read_file(kReadme))) {
    if (block.language != "sh") continue;
    for (const auto& command : commands_of(block)) {
      INFO("README.md:" << command.line << ": " << command.text);
      if (const LeftOut* out = left_out(command.text)) {
        std::cout << "left out: " << command.text << " (" << out->reason << ")\n";
        continue;
      }
      const Rule* rule = rule_for(command.text);
      if (rule == nullptr) {
        FAIL_CHECK("no rule says how to run it: tests/integration/readme_test.cpp");
        continue;
      }
      if (rule->checkpoint != nullptr) {
        if (shared.empty()) {
          std::cout << "skipped: " << command.text << " (needs a checkpoint of ../shared)\n";
          continue;
        }
        reader.provide_checkpoint(shared / rule->checkpoint);
      }
      if (command.text.starts_with("busctl") && !fs::exists("/usr/bin/busctl")) {
        std::cout << "skipped: " << command.text << " (there is no busctl)\n";
        continue;
      }
      const int code = reader.run(command, *rule);
      INFO(reader.output());
      // One that runs until it is told to stop may say goodbye or die of the signal.
      CHECK((code == 0 || (rule->seconds > 0 && code == 128 + SIGINT)));
      ++run;
    }
  }
  CHECK(run >= 10);
}

TEST_CASE("the README's C++ compiles") {
  TemporaryDirectory home;
  bool any = false;
  for (const auto& block : blocks_of(read_file(kReadme))) {
    if (block.language != "cpp") continue;
    any = true;
    std::string includes = "#include <cstddef>\n#include <vector>\n", body;
    std::istringstream lines(block.text);
    for (std::string line; std::getline(lines, line);)
      (line.starts_with('#') ? includes : body) += line + "\n";
    const auto file = home.path() / "readme.cpp";
    write_file(file,
               includes + "int main() {\nstd::vector<std::byte> pixels(640 * 480 * 3);\n" + body + "}\n");
    Process compiler(
        {DOFA_CXX_COMPILER, "-std=c++20", "-fsyntax-only", "-I", DOFA_SOURCE_DIR "/client/include", file},
        home.path() / "log");
    const int code = compiler.wait(120'000);
    INFO(read_file(home.path() / "log"));
    CHECK(code == 0);
  }
  CHECK(any);
}

TEST_CASE("the README's family is one") {
  bool any = false;
  for (const auto& block : blocks_of(read_file(kReadme))) {
    if (block.language != "yaml") continue;
    any = true;
    const auto family = config::parse_family(block.text, "README.md");
    INFO((family ? std::string() : family.error().message));
    CHECK(family.ok());
  }
  CHECK(any);
}
