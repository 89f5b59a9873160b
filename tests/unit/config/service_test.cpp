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
  // Every key the code knows stands in the file: a default written there must not be a default by absence.
  for (const char* key : {"level", "roots", "load", "verify_timeout_s", "profiles", "cpu", "nice", "realtime", "affinity", "onednn", "sessions", "sessions_per_uid",
                          "families", "queue", "frame_bytes", "ring_bytes", "ring_bytes_per_uid", "ring_slots", "tick_ms", "stuck_after_s"}) {
    INFO(key);
    CHECK(std::regex_search(active, std::regex("\n[ ]+" + std::string(key) + ": ")));
  }
}

TEST_CASE("faults in the configuration say where and what would be right") {
  require_fault("lanes:\n  cpu: -1\n", "2:8: 'lanes.cpu' must be a whole number from 0 to 256, not '-1'");
  require_fault("lanes:\n  nice: -21\n", "2:9: 'lanes.nice' must be a whole number from -20 to 19, not '-21'");
  require_fault("lanes:\n  affinity: [0, x]\n",
                "2:17: 'lanes.affinity' must be a whole number from 0 to 1023, not 'x'");
  require_fault("lanes:\n  cpus: 1\n", "2:3: 'lanes.cpus' is not a known key");
  require_fault("lane: {}\n", "1:1: 'lane' is not a known key");
  require_fault("limits:\n  queue: 1\n  queue: 2\n", "3:3: 'limits.queue' is given twice");
  require_fault("limits:\n  queue: .inf\n", "2:10: 'limits.queue' must be a whole number from 1 to 4096, not '.inf'");
  require_fault("limits: 3\n", "1:9: 'limits' must be a map of keys to values");
  require_fault("log:\n  level: loud\n",
                "2:10: 'log.level' must be debug, info, notice, warning, err or crit, not 'loud'");
  require_fault("families:\n  roots: models\n", "2:10: 'families.roots' must be a list");
  require_fault("families:\n  roots: [models]\n",
                "2:10: 'families.roots' must list absolute directories, not 'models'");
  require_fault("engine:\n  onednn: yes\n", "2:11: 'engine.onednn' must be true or false");
  require_fault("a: 1\n---\nb: 2\n", "3:1: one document expected, found more");
}

TEST_CASE("keys that wait for a restart are named") {
  ServiceOptions running;
  ServiceOptions wanted;
  CHECK(keys_needing_restart(running, wanted).empty());
  wanted.lanes.cpu = 3;
  wanted.limits.queue = 5;
  CHECK(keys_needing_restart(running, wanted) == std::vector<std::string>{"lanes.cpu"});
}
