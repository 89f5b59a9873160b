// SPDX-License-Identifier: Apache-2.0
// dofactl monitor as its users run it, and readers that go away.
#include <signal.h>

#include "client/ctl/usage.hpp"
#include "tests/unit/client/dofactl_setup.hpp"

using namespace dofa::test;
using namespace dofa::test::dofactl;
using namespace dofa::ctl;

TEST_CASE("monitor prints an event a line until it is told to stop") {
  Setup setup;
  const auto before = setup.service.open_session("earlier", {});
  const auto signal = GENERATE(SIGINT, SIGTERM);
  Program monitor({DOFACTL_PROGRAM, "monitor", "--json", "--interval", "0.05"},
                  {{"DOFA_BUS", setup.bus.address()}});
  const auto next = [&](const std::string& event) {
    for (;;) {
      const auto line = monitor.read_line();
      INFO(line);
      REQUIRE_FALSE(line.empty());
      const auto node = json(line + "\n");
      CHECK(node["time_us"].as<std::int64_t>() > 0);
      if (node["event"].as<std::string>() == event) return node;
    }
  };
  CHECK(next("processors")["processors"][0]["load"].as<double>() == 0.5);  // by now it listens
  setup.service.emit_subnet_changed(before, "small");
  const auto change = next("subnet-changed");
  CHECK(change["session"].as<std::string>() == before);
  CHECK(change["from"].as<std::string>() == "large");
  CHECK(change["to"].as<std::string>() == "small");
  CHECK(change["reason"].as<std::string>() == "load rose");
  CHECK(next("session-changed")["changes"]["Level"].as<int>() == 1);
  const auto id = setup.service.open_session("camera", {});
  CHECK(next("session-opened")["application"].as<std::string>() == "camera");
  setup.service.emit_contract_unmet(id);
  CHECK(next("contract-unmet")["nearest"]["latency-budget-us"].as<int>() == 40'000);
  setup.service.close_session(id, "closed");
  CHECK(next("session-closed")["reason"].as<std::string>() == "closed");
  CHECK(next("session-removed")["session"].as<std::string>() == id);

  monitor.send(signal);
  CHECK(monitor.wait() == kExitOk);
  CHECK(monitor.err() == "");
}

TEST_CASE("a reader that goes away ends dofactl quietly, even one that waits") {
  const Setup setup;
  Program monitor({DOFACTL_PROGRAM, "monitor"}, {{"DOFA_BUS", setup.bus.address()}});
  monitor.close_stdout();
  CHECK(monitor.wait() == kExitOk);
  CHECK(monitor.err() == "");

  Program help({DOFACTL_PROGRAM, "help"});
  help.close_stdout();
  CHECK(help.wait() == kExitOk);
  CHECK(help.err() == "");
}
