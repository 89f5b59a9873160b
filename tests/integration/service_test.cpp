// SPDX-License-Identifier: Apache-2.0
// dofad as a service: its command line, its bus policy, reload, log level, shutdown.
#include <signal.h>

#include <algorithm>
#include <dofa/client.hpp>
#include <future>
#include <vector>

#include "proto/compat.hpp"
#include "proto/names.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/daemon.hpp"
#include "tests/support/frames.hpp"
#include "tests/support/script_family.hpp"

using namespace dofa;
using namespace dofa::test;
using client::Client;

namespace {

struct Served {
  TemporaryDirectory home;
  std::unique_ptr<Daemon> daemon;
  Served() {
    write_script_family(home.path() / "colours", "colours", {{"only", colour_net()}});
    daemon = std::make_unique<Daemon>(config(""));
  }
  [[nodiscard]] std::string config(const std::string& more) const {
    return "families:\n  roots: [" + home.path().string() + "]\n" + more;
  }
};

int run(const std::vector<std::string>& arguments, const std::filesystem::path& log) {
  return Process(arguments, log).wait(60'000);
}

}  // namespace

TEST_CASE("dofad says what is wrong with its command line and configuration, and exits with 2") {
  TemporaryDirectory home;
  const auto log = home.path() / "log";
  const std::string dofad = Daemon::program("dofad");
  CHECK(run({dofad, "--version"}, log) == 0);
  CHECK(run({dofad, "--help"}, log) == 0);
  CHECK(run({dofad, "--check-config", "--config", std::string(DOFA_SOURCE_DIR) + "/etc/dofad.yaml"}, log) ==
        0);

  const auto says = [&](const std::vector<std::string>& arguments, const std::string& words) {
    std::filesystem::remove(log);
    CHECK(run(arguments, log) == 2);
    const std::string said = read_file(log);
    INFO(said);
    CHECK(said.find(words) != std::string::npos);
    CHECK(std::count(said.begin(), said.end(), '\n') == 1);
  };
  says({dofad, "--confg", "x"}, "'--confg' is not an option");
  says({dofad, "--config"}, "'--config' needs a value");
  says({dofad, "--check-config", "--config", "/none.yaml"}, "/none.yaml: cannot be read");
  const std::string broken = (home.path() / "broken.yaml").string();
  write_file(broken, "lanes:\n  cpu: many\n");
  says({dofad, "--check-config", "--config", broken},
       broken + ":2:8: 'lanes.cpu' must be a whole number from 0 to 256");
  says({dofad, "--config", broken}, broken + ":2:8: ");
}

TEST_CASE(
    "without the shipped policy the name cannot be owned, and a second dofad is told that it is taken") {
  TemporaryDirectory home;
  write_file(home.path() / "dofad.yaml", "families:\n  roots: [" + home.path().string() + "]\n");
  const auto start = [&](const std::string& bus) {
    return run({Daemon::program("dofad"), "--config", (home.path() / "dofad.yaml").string(), "--bus", bus},
               home.path() / "log");
  };
  PrivateBus strict({PrivateBus::Kind::kSystem, {}, {}});
  CHECK(start(strict.address()) == 1);
  Served served;
  CHECK(start(served.daemon->bus()) == 1);
  CHECK(Client::connect({.bus = served.daemon->bus()}).families().size() == 1);
}

TEST_CASE("a reload takes what is right and keeps the old configuration where it is wrong") {
  Served served;
  Daemon& daemon = *served.daemon;
  Client client = Client::connect({.bus = daemon.bus()});
  auto session = client.open_session("stays", "colours");
  const SolidFrame frame(32, 32, {255, 0, 0});

  write_file(daemon.config_path(), served.config("limits:\n  sessions: 1\nlanes:\n  cpu: 2\n"));
  client.reload();
  CHECK(daemon.logs("lanes.cpu takes effect at the next start"));
  CHECK_THROWS_AS(client.open_session("second", "colours"), client::Error);
  CHECK(session.infer(frame.view()).top[0].class_index == 0);

  write_file(daemon.config_path(), served.config("limits:\n  sessions: none\n"));
  try {
    client.reload();
    FAIL("the broken configuration was taken");
  } catch (const client::Error& error) {
    CHECK(error.code() == client::ErrorCode::kInvalidArgument);
    CHECK(std::string(error.what()).find(":4:13: 'limits.sessions'") != std::string::npos);
  }
  CHECK_THROWS_AS(client.open_session("second", "colours"), client::Error);

  write_file(daemon.config_path(), served.config(""));
  daemon.process().signal(SIGHUP);
  CHECK(eventually([&] {
    return daemon.log().find("configuration reloaded", daemon.log().find("refused")) != std::string::npos;
  }));
  (void)client.open_session("second", "colours");
  CHECK(session.infer(frame.view()).top[0].class_index == 0);
}

TEST_CASE("the log level changes while running, as systemctl service-log-level does it") {
  Served served;
  const auto connection = sdbus::createSessionBusConnectionWithAddress(served.daemon->bus());
  const auto proxy = sdbus::createProxy(*connection, proto::BusName{proto::kBusName},
                                        sdbus::ObjectPath{"/org/freedesktop/LogControl1"});
  const auto level = [&] {
    return proxy->getProperty("LogLevel").onInterface("org.freedesktop.LogControl1").get<std::string>();
  };
  CHECK(level() == "debug");
  proxy->setProperty("LogLevel").onInterface("org.freedesktop.LogControl1").toValue(std::string("warning"));
  CHECK(level() == "warning");
  CHECK_THROWS_AS(
      proxy->setProperty("LogLevel").onInterface("org.freedesktop.LogControl1").toValue(std::string("loud")),
      sdbus::Error);
  CHECK(level() == "warning");
}

TEST_CASE("SIGTERM ends sessions with a reason and exits cleanly") {
  Served served;
  Client client = Client::connect({.bus = served.daemon->bus()});
  std::promise<std::string> closed;
  auto session = client.open_session("told", "colours", {},
                                     {.closed = [&](const std::string& why) { closed.set_value(why); }});
  served.daemon->process().signal(SIGTERM);
  CHECK(served.daemon->process().wait() == 0);
  auto reason = closed.get_future();
  REQUIRE(reason.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  CHECK(reason.get() == "service stopping");
}

TEST_CASE("SIGTERM lets the frame that runs be answered and cancels those that wait") {
  TemporaryDirectory home;
  write_script_family(
      home.path() / "slow", "slow",
      {ScriptLevel{"only", "    s = torch.zeros([1])\n    for i in range(100000):\n        s = s + 1\n" +
                               colour_net()}});
  Daemon daemon("families:\n  roots: [" + home.path().string() + "]\n");
  Client client = Client::connect({.bus = daemon.bus()});
  auto session = client.open_session("cut short", "slow");
  const SolidFrame frame(32, 32, {255, 0, 0});
  std::vector<std::future<client::Answer>> answers;
  for (int i = 0; i < 4; ++i) answers.push_back(session.infer_async(frame.view()));
  REQUIRE(eventually([&] { return session.info().frames == 4; }));
  daemon.process().signal(SIGTERM);
  CHECK(daemon.process().wait() == 0);
  int answered = 0;
  for (auto& answer : answers) {
    REQUIRE(answer.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
    try {
      (void)answer.get();
      ++answered;
    } catch (const client::Error& error) {
      CHECK(error.code() == client::ErrorCode::kCancelled);
    }
  }
  CHECK(answered >= 1);
  CHECK(answered < 4);
}

TEST_CASE("a bus that goes away ends the service with a failure, for systemd to restart it") {
  TemporaryDirectory home;
  write_script_family(home.path() / "colours", "colours", {ScriptLevel{"only", colour_net()}});
  write_file(home.path() / "dofad.yaml", "families:\n  roots: [" + home.path().string() + "]\n");
  PrivateBus bus(Daemon::shipped_policy());
  Process dofad(
      {Daemon::program("dofad"), "--config", (home.path() / "dofad.yaml").string(), "--bus", bus.address()},
      home.path() / "log");
  REQUIRE(eventually([&] { return read_file(home.path() / "log").find("serves on") != std::string::npos; },
                     60'000));
  bus.stop();
  CHECK(dofad.wait(10'000) == 1);
  CHECK(read_file(home.path() / "log").find("the bus connection is lost") != std::string::npos);
}
