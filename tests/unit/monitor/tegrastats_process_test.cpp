// SPDX-License-Identifier: Apache-2.0
// A tegrastats that hangs, floods, dies, stutters or is not there: shell scripts play it. Time is made up, so
// nothing waits for pauses; only what a script prints is waited for.
#include "daemon/monitor/tegrastats_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "daemon/monitor/sampler.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/monitor/fake_root.hpp"

using namespace dofa::monitor;
using dofa::monitor::test::FakeRoot;

namespace {

constexpr std::int64_t kIntervalUs = 1'000'000;
constexpr std::int64_t kStartUs = 1'000'000'000;

// The script as an executable file; `$here` in it is the folder.
std::string script(const FakeRoot& root, const std::string& body) {
  const std::string path = root / "/tegrastats";
  root.write("/tegrastats", "#!/bin/sh\nhere=" + root.path() + "\n" + body + "\n");
  REQUIRE(::chmod(path.c_str(), 0755) == 0);
  return path;
}

// Until `done` holds; gives up after ten seconds.
template <class Done>
bool wait_for(Done done) {
  for (int i = 0; i < 5000; ++i) {
    if (done()) return true;
    ::poll(nullptr, 0, 2);
  }
  return false;
}

std::optional<TegrastatsLine> wait_for_line(TegrastatsProcess& process, std::int64_t now_us) {
  std::optional<TegrastatsLine> line;
  (void)wait_for([&] { return (line = process.poll(now_us)).has_value(); });
  return line;
}

bool wait_for_end(TegrastatsProcess& process, std::int64_t now_us) {
  return wait_for([&] { return (void)process.poll(now_us), process.pid() == 0; });
}

// Gone, or dead and waiting for whoever inherits it to notice.
bool is_dead(pid_t pid) {
  const auto stat = read_text("/proc/" + std::to_string(pid) + "/stat");
  return !stat || stat->find(") Z") != std::string::npos;
}

int count_lines(const std::string& path) {
  const std::string text = read_text(path).value_or("");
  return static_cast<int>(std::count(text.begin(), text.end(), '\n')) + (text.empty() ? 0 : 1);
}

}  // namespace

TEST_CASE("the newest line of a stream in pieces") {
  NewestLine lines;
  CHECK_FALSE(lines.feed("RAM 1/2"));
  CHECK(lines.feed("MB\nAPE") == "RAM 1/2MB");
  CHECK_FALSE(lines.feed(" 1"));
  CHECK(lines.feed("\n") == "APE 1");
  CHECK(lines.feed("a\nb\nc\nd") == "c");
  CHECK(lines.feed("\n") == "d");
  CHECK_FALSE(lines.feed("\n"));  // empty lines say nothing
  CHECK(lines.feed("x\r\n") == "x\r");
  SECTION("a line that does not end is dropped, and the one behind it kept") {
    for (int i = 0; i < 100; ++i) CHECK_FALSE(lines.feed(std::string(1000, 'x')));
    CHECK_FALSE(lines.feed("end of it\nnext"));
    CHECK(lines.feed("\n") == "next");
    CHECK_FALSE(lines.feed(std::string(NewestLine::kLongestLine + 1, 'y') + "\n"));
    CHECK(lines.feed(std::string(NewestLine::kLongestLine, 'z') + "\n"));
  }
  SECTION("clear forgets what was begun") {
    CHECK_FALSE(lines.feed("half"));
    lines.clear();
    CHECK(lines.feed("whole\n") == "whole");
  }
}

TEST_CASE("a healthy tegrastats is started once, with its interval, and its newest line read") {
  const FakeRoot root;
  TegrastatsProcess process(script(root, "echo \"RAM 1/2MB APE $2\"; echo noise >&2; exec sleep 1000"),
                            kIntervalUs);
  const auto line = wait_for_line(process, kStartUs);
  REQUIRE(line);
  CHECK(line->engines[0].frequency_mhz() == 1000.0);  // milliseconds
  const pid_t pid = process.pid();
  CHECK(pid > 0);
  CHECK_FALSE(process.poll(kStartUs + 1));
  CHECK(process.pid() == pid);
  CHECK(process.trouble().empty());
}

TEST_CASE("a tegrastats that dies is started again after growing pauses") {
  const FakeRoot root;
  TegrastatsProcess process(script(root, "echo x >> $here/starts; exit 3"), kIntervalUs);
  std::int64_t now_us = kStartUs;
  for (int start = 1; start <= 5; ++start) {
    const int pause_s = 1 << (start - 1);
    REQUIRE(wait_for_end(process, now_us));
    CHECK(process.trouble() == "exited with status 3; next try in " + std::to_string(pause_s) + " s");
    CHECK_FALSE(process.poll(now_us + pause_s * 1'000'000 - 1));
    CHECK(process.pid() == 0);
    CHECK(count_lines(root / "/starts") == start);
    now_us += pause_s * 1'000'000;
    (void)process.poll(now_us);
  }
  for (int start = 6; start <= 9; ++start) {  // never more than a minute
    REQUIRE(wait_for_end(process, now_us));
    CHECK(count_lines(root / "/starts") == start);
    now_us += 60'000'000;
    (void)process.poll(now_us);
  }
}

TEST_CASE("a tegrastats that hangs is killed with all it has started") {
  const FakeRoot root;
  TegrastatsProcess process(
      script(root, "trap '' TERM; sleep 1000 & echo $! > $here/child; echo nothing; wait"), kIntervalUs);
  (void)process.poll(kStartUs);
  const pid_t pid = process.pid();
  REQUIRE(pid > 0);
  REQUIRE(wait_for([&] { return read_integer(root / "/child").has_value(); }));
  const auto child = static_cast<pid_t>(*read_integer(root / "/child"));
  (void)process.poll(kStartUs + 5'000'000);
  CHECK(process.pid() == pid);
  REQUIRE(wait_for_end(process, kStartUs + 5'000'001));
  CHECK(process.trouble() == "silent for 5 s; next try in 1 s");
  CHECK(is_dead(pid));
  CHECK(wait_for([&] { return is_dead(child); }));
}

TEST_CASE("a tegrastats that floods is stopped, whether it ends its lines or not") {
  const FakeRoot root;
  const std::string body =
      GENERATE(std::string("exec yes 'RAM 1/2MB APE 150'"), std::string("yes | tr -d '\\n'"));
  TegrastatsProcess process(script(root, body), kIntervalUs);
  (void)process.poll(kStartUs);
  REQUIRE(wait_for_end(process, kStartUs));
  CHECK(process.trouble() == "floods its output; next try in 1 s");
}

TEST_CASE("half a line waits for its other half") {
  const FakeRoot root;
  REQUIRE(::mkfifo((root / "/go").c_str(), 0600) == 0);
  TegrastatsProcess process(
      script(root, "printf 'CPU [1%%@1'; read x < $here/go; printf '02]\\nCPU [7%%@'; exec sleep 1000"),
      kIntervalUs);
  CHECK_FALSE(process.poll(kStartUs));
  const Fd go(::open((root / "/go").c_str(),
                     O_WRONLY | O_CLOEXEC));  // opens once the script has printed the first half
  REQUIRE(go);
  CHECK_FALSE(process.poll(kStartUs));
  REQUIRE(::write(go.get(), "\n", 1) == 1);
  const auto line = wait_for_line(process, kStartUs);
  REQUIRE(line);
  REQUIRE(line->cores.size() == 1);
  CHECK(line->cores[0].frequency_mhz == 102.0);
}

TEST_CASE("a tegrastats too old for --interval is started without") {
  const FakeRoot root;
  TegrastatsProcess process(script(root, "[ $# = 0 ] || exit 1\necho 'APE 25'; exec sleep 1000"),
                            kIntervalUs);
  (void)process.poll(kStartUs);
  REQUIRE(wait_for_end(process, kStartUs));
  CHECK(wait_for_line(process, kStartUs + 1'000'000));
}

TEST_CASE("no tegrastats, no trouble, and one that appears is found within a minute") {
  const FakeRoot root;
  TegrastatsProcess process(root / "/tegrastats", kIntervalUs);
  CHECK_FALSE(process.poll(kStartUs));
  CHECK(process.pid() == 0);
  CHECK(process.trouble().empty());
  script(root, "echo 'APE 25'; exec sleep 1000");
  CHECK_FALSE(process.poll(kStartUs + 59'000'000));
  CHECK(process.pid() == 0);
  CHECK(wait_for_line(process, kStartUs + 60'000'000));
}

TEST_CASE("a file that cannot be run is trouble, not a crash") {
  const FakeRoot root;
  root.write("/tegrastats",
             "\x7f"
             "ELF but not really");
  REQUIRE(::chmod((root / "/tegrastats").c_str(), 0755) == 0);
  TegrastatsProcess process(root / "/tegrastats", kIntervalUs);
  CHECK_FALSE(process.poll(kStartUs));
  CHECK(process.pid() == 0);
  CHECK(process.trouble().starts_with("cannot be started: "));
}

TEST_CASE("the child dies with its owner") {
  const FakeRoot root;
  pid_t pid = 0;
  {
    TegrastatsProcess process(script(root, "trap '' TERM HUP; while :; do sleep 1; done"), kIntervalUs);
    (void)process.poll(kStartUs);
    pid = process.pid();
    REQUIRE(pid > 0);
  }
  CHECK(::kill(pid, 0) != 0);
}

TEST_CASE("through the sampler: a Jetson without sysfs is seen, and the reason is told when it goes blind") {
  const FakeRoot root;
  Options options;
  options.root = root.path();
  options.nvml_enabled = false;
  options.tegrastats_path = script(root, "echo 'GR3D_FREQ 62%@306 VDD_IN 4067/4000'; exit 9");
  Sampler sampler(options);
  std::int64_t now_us = kStartUs;
  REQUIRE(wait_for([&] { return sampler.sample(now_us += 50'000), sampler.snapshot().tegrastats.fresh(); }));
  const Snapshot seen = sampler.snapshot();
  REQUIRE(seen.gpus.size() == 1);
  CHECK(seen.gpus[0].load.value == 0.62);
  CHECK(seen.gpus[0].load.source == Source::kTegrastats);
  CHECK(board_power_mw(seen) == 4067.0);
  std::vector<Event> events;
  REQUIRE(wait_for([&] {
    sampler.sample(now_us += 50'000);
    for (Event& event : sampler.drain_events()) events.push_back(std::move(event));
    return events.size() >= 2;
  }));
  CHECK(events[0].came);
  CHECK(events[1].source == Source::kTegrastats);
  CHECK_FALSE(events[1].came);
  CHECK(events[1].detail.starts_with("exited with status 9; next try in "));
}
