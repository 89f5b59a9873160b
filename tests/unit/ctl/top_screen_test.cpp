// SPDX-License-Identifier: Apache-2.0
// `dofactl top` in a real terminal: tmux holds it, sends keys, changes its size and tells what is on the
// screen.
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "client/ctl/usage.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/private_bus.hpp"
#include "tests/unit/client/fake_service.hpp"
#include "tests/unit/client/program.hpp"

using namespace dofa::test;

namespace {

/// A tmux server of the test's own, with one window.
class Tmux {
 public:
  static bool there() { return std::filesystem::exists("/usr/bin/tmux"); }

  Tmux(const std::string& bus, const std::string& environment) : socket_(fresh_name()) {
    run({"-f", "/dev/null", "new-session", "-d", "-s", "top", "-x", "80", "-y", "24",
         "env DOFA_BUS='" + bus + "' " + environment +
             " '" DOFACTL_PROGRAM "' top --interval 0.1; echo left with $?; sleep 600"});
  }
  ~Tmux() { run({"kill-server"}); }
  Tmux(const Tmux&) = delete;
  Tmux& operator=(const Tmux&) = delete;

  void keys(const std::vector<std::string>& keys) {
    std::vector<std::string> words{"send-keys", "-t", "top"};
    words.insert(words.end(), keys.begin(), keys.end());
    run(words);
  }
  void resize(int width, int height) {
    run({"resize-window", "-t", "top", "-x", std::to_string(width), "-y", std::to_string(height)});
  }
  std::string screen() { return run({"capture-pane", "-p", "-t", "top"}); }
  /// Waits until the screen has `words`; the screen as it was last.
  bool shows(const std::string& words) {
    for (int i = 0; i < 200; ++i) {
      last_ = screen();
      if (last_.find(words) != std::string::npos) return true;
      ::usleep(50'000);
    }
    return false;
  }
  [[nodiscard]] const std::string& last() const { return last_; }

 private:
  static std::string fresh_name() {
    static int count = 0;
    return "dofa-test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
  }
  std::string run(std::vector<std::string> words) {
    words.insert(words.begin(), {"/usr/bin/tmux", "-L", socket_});
    Program tmux(words);
    tmux.wait();
    return tmux.out();
  }
  std::string socket_;
  std::string last_;
};

}  // namespace

TEST_CASE(
    "top shows, sorts, changes a contract, follows the window's size and leaves the terminal as it was") {
  if (!Tmux::there()) {
    WARN("skipped: there is no tmux to hold a terminal");
    return;
  }
  const PrivateBus bus;
  FakeService service(bus.address());
  service.open_session("camera", {{"latency-budget-us", sdbus::Variant{std::uint64_t{30'000}}}});
  service.open_session("robot", {});
  Tmux tmux(bus.address(), "LANG=C.UTF-8 LC_ALL=C.UTF-8");
  INFO(tmux.last());
  REQUIRE(tmux.shows("camera"));
  REQUIRE(tmux.shows("sessions: 2"));
  CHECK(tmux.shows("30.0 ms"));
  CHECK(tmux.shows("1.25x"));  // slowdown
  CHECK(tmux.shows("IDv"));
  CHECK(tmux.shows("h help"));

  tmux.keys({"s"});
  CHECK(tmux.shows("APPLICATIONv"));
  tmux.keys({"r"});
  CHECK(tmux.shows("APPLICATION^"));
  tmux.keys({"s", "s", "s", "s"});
  CHECK(tmux.shows("IDv"));

  service.emit_subnet_changed("7", "small");
  CHECK(tmux.shows("large to small on cpu: load rose"));

  tmux.keys({"b"});
  CHECK(tmux.shows("Latency budget of camera (7), ms: 30"));
  tmux.keys({"BSpace", "BSpace", "4", "5", "Enter"});
  CHECK(tmux.shows("camera: contract changed"));
  CHECK(tmux.shows("45.0 ms"));
  service.fail("SetContract", "org.dofa.Dofa1.Error.Unsatisfiable");
  tmux.keys({"b", "C-u", "1", "Enter"});
  CHECK(tmux.shows("camera: told to fail"));
  tmux.keys({"Down"});
  CHECK(tmux.shows("robot  session 8"));

  for (const auto& [width, height] : {std::pair{120, 40}, {60, 15}, {80, 24}}) {
    INFO(width << "x" << height);
    tmux.resize(width, height);
    CHECK(tmux.shows("robot"));
    CHECK(tmux.shows(width == 60 ? "IN TIME\n" : "FPS\n"));  // the right edge, and no column wrapped
    CHECK(tmux.shows("h help"));
  }
  tmux.keys({"?"});
  CHECK(tmux.shows("any key leaves it"));
  tmux.keys({"x", "q"});
  CHECK(tmux.shows("left with 0"));
  CHECK(tmux.last().find("camera") == std::string::npos);
}

TEST_CASE("top keeps to ASCII where the locale has nothing else, and says that the service is away") {
  if (!Tmux::there()) {
    WARN("skipped: there is no tmux to hold a terminal");
    return;
  }
  PrivateBus bus;
  auto service = std::make_unique<FakeService>(bus.address());
  service->open_session("camera", {});
  Tmux tmux(bus.address(), "LC_ALL=C");
  REQUIRE(tmux.shows("camera"));
  CHECK(tmux.shows("cpu       #"));
  for (const char c : tmux.screen()) CHECK(static_cast<unsigned char>(c) < 0x80);
  service.reset();
  CHECK(tmux.shows("trying again: "));
  service = std::make_unique<FakeService>(bus.address());
  service->open_session("returned", {});
  CHECK(tmux.shows("returned"));
  tmux.keys({"q"});
  CHECK(tmux.shows("left with 0"));
}

TEST_CASE("top says that nobody answers, and can be left meanwhile") {
  if (!Tmux::there()) {
    WARN("skipped: there is no tmux to hold a terminal");
    return;
  }
  PrivateBus bus;
  FakeService service(bus.address());
  service.open_session("camera", {});
  Tmux tmux(bus.address(), "LC_ALL=C");
  REQUIRE(tmux.shows("camera"));
  ::kill(bus.pid(), SIGSTOP);
  CHECK(tmux.shows("no answer for "));
  CHECK(tmux.screen().find("camera") != std::string::npos);
  tmux.keys({"q"});
  CHECK(tmux.shows("left with 0"));
  ::kill(bus.pid(), SIGCONT);
}

TEST_CASE("without a terminal top says so") {
  Program top({DOFACTL_PROGRAM, "top"});
  CHECK(top.wait() == dofa::ctl::kExitFailed);
  CHECK(top.err() == "dofactl: 'top' needs a terminal; without one there are 'monitor' and 'record'\n");
  Program json({DOFACTL_PROGRAM, "top", "--json"});
  CHECK(json.wait() == dofa::ctl::kExitUsage);
}
