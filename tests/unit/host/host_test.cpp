// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <thread>

#include "daemon/host/child.hpp"
#include "daemon/host/notify.hpp"
#include "daemon/host/signals.hpp"
#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::host;

namespace {

ChildOutcome shell(const std::string& script, std::int64_t timeout_ms = 20'000) {
  const auto outcome = run_child({"/bin/sh", "-c", script}, timeout_ms);
  if (!outcome) FAIL(outcome.error().message);
  return *outcome;
}

}  // namespace

TEST_CASE("a child's exit code and output come back, the output cut at its limit") {
  const ChildOutcome hello = shell("echo hello; exit 3");
  CHECK(hello.exit_code == 3);
  CHECK(hello.output == "hello\n");
  CHECK_FALSE(hello.timed_out);
  const ChildOutcome long_one = shell("head -c 1000000 /dev/zero");
  CHECK(long_one.output.size() == 64UL << 10);
  CHECK(long_one.exit_code == 0);  // it could write all of it
  CHECK(shell("kill -SEGV $$").exit_code == -1);
  CHECK(shell("cat").output.empty());  // no stdin to wait for
  CHECK_FALSE(run_child({"/nonexistent"}, 1000).ok());
}

TEST_CASE("a child that does not end is killed, whatever it does with its output") {
  CHECK(shell("while :; do :; done", 200).timed_out);
  CHECK(shell("exec >&-; while :; do :; done", 200).timed_out);
  CHECK(shell("while :; do echo flood; done", 200).timed_out);
}

TEST_CASE("a child's child that keeps the pipe open does not hold us up") {
  const ChildOutcome outcome = shell("sleep 5 2>&- & echo done", 2000);
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.output == "done\n");
  CHECK_FALSE(outcome.timed_out);
}

TEST_CASE("the service manager gets its datagram, and its absence is no error") {
  unsetenv("NOTIFY_SOCKET");
  CHECK(notify("READY=1"));
  const std::string path = "/tmp/dofa-notify-" + std::to_string(getpid());
  const int receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  REQUIRE(bind(receiver, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  setenv("NOTIFY_SOCKET", path.c_str(), 1);
  CHECK(notify("READY=1\nSTATUS=serving"));
  char buffer[64] = {};
  CHECK(recv(receiver, buffer, sizeof buffer, 0) == 22);
  CHECK(std::string(buffer) == "READY=1\nSTATUS=serving");
  CHECK(notify_start("loading x", 120));
  const ssize_t size = recv(receiver, buffer, sizeof buffer, 0);
  CHECK(std::string(buffer, static_cast<std::size_t>(std::max<ssize_t>(size, 0))) ==
        "STATUS=loading x\nEXTEND_TIMEOUT_USEC=120000000");
  setenv("NOTIFY_SOCKET", "/tmp/dofa-nobody-listens", 1);
  CHECK_FALSE(notify("READY=1"));
  unsetenv("NOTIFY_SOCKET");
  close(receiver);
  std::filesystem::remove(path);
}

TEST_CASE("the watchdog's interval counts only for this process") {
  unsetenv("WATCHDOG_USEC");
  CHECK_FALSE(watchdog_interval_us().has_value());
  setenv("WATCHDOG_USEC", "30000000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  CHECK(watchdog_interval_us() == 30'000'000);
  setenv("WATCHDOG_PID", "1", 1);
  CHECK_FALSE(watchdog_interval_us().has_value());
  unsetenv("WATCHDOG_USEC");
  unsetenv("WATCHDOG_PID");
}

TEST_CASE("signals arrive in the loop, also when another thread takes them") {
  Signals signals;
  CHECK(signals.wait(0) == Signal::kNone);
  kill(getpid(), SIGHUP);
  CHECK(signals.wait(5000) == Signal::kReload);
  signals.nudge();
  kill(getpid(), SIGHUP);
  CHECK(signals.wait(60'000) == Signal::kNone);  // at once, and takes nothing from what follows
  CHECK(signals.wait(5000) == Signal::kReload);
  std::thread other([] { raise(SIGTERM); });
  other.join();
  CHECK(signals.wait(5000) == Signal::kStop);
  CHECK_FALSE(signals.stop_was_requested());
  signals.request_stop();
  CHECK(signals.wait(5000) == Signal::kStop);
  CHECK(signals.stop_was_requested());
}
