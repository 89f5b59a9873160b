// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/service.hpp"

#include <fstream>
#include <regex>
#include <sstream>

#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::config;

namespace {

void require_fault(const std::string& text, const std::string& message) {
  const auto options = parse_service(text, "dofad.yaml");
  REQUIRE_FALSE(options.ok());
  CHECK(options.error().message == "dofad.yaml:" + message);
}

std::string shipped_config() {
  std::ifstream file(std::string(DOFA_SOURCE_DIR) + "/etc/dofad.yaml");
  REQUIRE(file);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The shipped file with its commented-out keys (a '#' directly before a word, "#  key:") made real.
std::string uncommented(const std::string& text) {
  return std::regex_replace(text, std::regex("(^|\n)#([ ]*[a-z_0-9]+:)"), "$1$2");
}

/// The dotted keys of a file whose sections stand at the margin and whose keys are indented by two.
std::set<std::string> keys_of(const std::string& text) {
  std::set<std::string> keys;
  std::istringstream lines(text);
  std::string section;
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_search(line, match, std::regex("^([a-z_0-9]+):"))) section = match[1];
    if (std::regex_search(line, match, std::regex("^  ([a-z_0-9]+): ")))
      keys.insert(section + "." + match[1].str());
  }
  return keys;
}

}  // namespace

TEST_CASE("an empty configuration is the defaults") {
  const auto options = parse_service("", "dofad.yaml");
  REQUIRE(options.ok());
  CHECK(*options == ServiceOptions{});
}

TEST_CASE("the shipped configuration reads as the defaults, commented or not") {
  const auto as_shipped = parse_service(shipped_config(), "dofad.yaml");
  if (!as_shipped) FAIL(as_shipped.error().message);
  CHECK(*as_shipped == ServiceOptions{});
  const std::string active = uncommented(shipped_config());
  const auto options = parse_service(active, "dofad.yaml");
  if (!options) FAIL(options.error().message);
  CHECK(*options == ServiceOptions{});
  // Every key the code knows stands in the file, once: a default written there must not be a default by
  // absence.
  CHECK(keys_of(active) == service_keys());
  CHECK(service_keys().size() > 20);
  CHECK(service_keys().contains("metrics.listen"));
}

TEST_CASE("each value of the shipped configuration is read, not only its key") {
  // With the value of one key changed at a time to one that is wrong for all of them, the file must be
  // refused.
  const std::string active = uncommented(shipped_config());
  std::size_t refused = 0;
  const std::regex key_with_value("\n  [a-z_0-9]+: ([^#\n]*)");
  for (auto line = std::sregex_iterator(active.begin(), active.end(), key_with_value);
       line != std::sregex_iterator(); ++line) {
    std::string broken = active;
    broken.replace(static_cast<std::size_t>(line->position(1)), static_cast<std::size_t>(line->length(1)),
                   "{x: 1} ");
    INFO(line->str());
    CHECK_FALSE(parse_service(broken, "dofad.yaml").ok());
    ++refused;
  }
  CHECK(refused == service_keys().size());
}

TEST_CASE("faults in the configuration say where and what would be right") {
  require_fault("lanes:\n  cpu: -1\n", "2:8: 'lanes.cpu' must be a whole number from 0 to 256, not '-1'");
  require_fault("lanes:\n  nice: -21\n",
                "2:9: 'lanes.nice' must be a whole number from -20 to 19, not '-21'");
  require_fault("lanes:\n  affinity: [0, x]\n",
                "2:17: 'lanes.affinity' must be a whole number from 0 to 1023, not 'x'");
  require_fault("lanes:\n  cpus: 1\n", "2:3: 'lanes.cpus' is not a known key");
  require_fault("lane: {}\n", "1:1: 'lane' is not a known key");
  require_fault("limits:\n  queue: 1\n  queue: 2\n", "3:3: 'limits.queue' is given twice");
  require_fault("limits:\n  queue: .inf\n",
                "2:10: 'limits.queue' must be a whole number from 1 to 4096, not '.inf'");
  require_fault("limits: 3\n", "1:9: 'limits' must be a map of keys to values");
  require_fault("log:\n  level: loud\n",
                "2:10: 'log.level' must be debug, info, notice, warning, err or crit, not 'loud'");
  require_fault("families:\n  roots: []\n", "2:10: 'families.roots' must list at least one directory");
  require_fault("families:\n  roots: models\n", "2:10: 'families.roots' must be a list");
  require_fault("families:\n  roots: [models]\n",
                "2:10: 'families.roots' must list absolute directories, not 'models'");
  for (const char* listen : {"metrics.sock", "0.0.0.0:9464", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536",
                             "127.0.0.1:94x", "[::]:9464", "127.0.0.1:-1"}) {
    require_fault("metrics:\n  listen: '" + std::string(listen) + "'\n",
                  "2:11: 'metrics.listen' must be an absolute path of at most 107 bytes, 127.0.0.1:PORT or "
                  "[::1]:PORT, not '" +
                      std::string(listen) + "'");
  }
  require_fault("engine:\n  gpu_precision: double\n",
                "2:18: 'engine.gpu_precision' must be half or float, not 'double'");
  require_fault("engine:\n  onednn: yes\n", "2:11: 'engine.onednn' must be true or false");
  require_fault("a: 1\n---\nb: 2\n", "3:1: one document expected, found more");
}

TEST_CASE("a configuration that cannot be read says why, and only a missing one is not found") {
  const auto directory = read_service("/tmp");
  REQUIRE_FALSE(directory.ok());
  CHECK(directory.error().code == ErrorCode::kInvalidArgument);
  CHECK(directory.error().message == "/tmp: cannot be read: it is a directory");
  const auto missing = read_service("/nonexistent/dofad.yaml");
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().code == ErrorCode::kNotFound);
  CHECK(missing.error().message == "/nonexistent/dofad.yaml: cannot be read: No such file or directory");
}

TEST_CASE("metrics are served where the configuration says") {
  for (const char* listen : {"/run/dofad/metrics.sock", "127.0.0.1:9464", "[::1]:1", "127.0.0.1:65535"}) {
    const auto options = parse_service("metrics:\n  listen: '" + std::string(listen) + "'\n", "dofad.yaml");
    REQUIRE(options.ok());
    CHECK(options->metrics.listen == listen);
    CHECK(keys_needing_restart({}, *options) == std::vector<std::string>{"metrics.listen"});
  }
  const std::string longest(106, 'x');
  CHECK(parse_service("metrics:\n  listen: /" + longest + "\n", "dofad.yaml").ok());
  CHECK_FALSE(parse_service("metrics:\n  listen: /" + longest + "x\n", "dofad.yaml").ok());
}

TEST_CASE("keys that wait for a restart are named") {
  ServiceOptions running;
  ServiceOptions wanted;
  CHECK(keys_needing_restart(running, wanted).empty());
  wanted.lanes.cpu = 3;
  wanted.limits.queue = 5;
  CHECK(keys_needing_restart(running, wanted) == std::vector<std::string>{"lanes.cpu"});
  CHECK(running.engine.gpus);
  wanted.engine.gpus = false;
  wanted.engine.gpu_precision = "float";
  CHECK(keys_needing_restart(running, wanted) ==
        std::vector<std::string>{"lanes.cpu", "engine.gpus", "engine.gpu_precision"});
}
