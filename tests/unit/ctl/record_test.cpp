// SPDX-License-Identifier: Apache-2.0
// dofactl record and plot as their users run them.
#include <signal.h>
#include <time.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "client/ctl/usage.hpp"
#include "client/recording/recording.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/private_bus.hpp"
#include "tests/unit/client/fake_service.hpp"
#include "tests/unit/client/program.hpp"

using namespace dofa::test;
using namespace dofa::ctl;
namespace fs = std::filesystem;

namespace {

class Folder {
 public:
  Folder() {
    char pattern[] = "/tmp/dofactl-test-XXXXXX";
    path_ = ::mkdtemp(pattern);
  }
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

std::string contents(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::uint64_t monotonic_us() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

struct Setup {
  PrivateBus bus;
  FakeService service{bus.address()};
  Folder folder;

  [[nodiscard]] std::unique_ptr<Program> start(std::vector<std::string> words) const {
    words.insert(words.begin(), DOFACTL_PROGRAM);
    return std::make_unique<Program>(words, std::map<std::string, std::string>{{"DOFA_BUS", bus.address()}});
  }
  [[nodiscard]] int run(const std::vector<std::string>& words, std::string* err = nullptr) const {
    const auto program = start(words);
    const int code = program->wait();
    if (err != nullptr) *err = program->err();
    return code;
  }
};

/// Waits until the file holds `words`.
bool comes(const std::string& file, const std::string& words) {
  for (int i = 0; i < 500; ++i) {
    if (contents(file).find(words) != std::string::npos) return true;
    ::usleep(20'000);
  }
  return false;
}

}  // namespace

TEST_CASE("record writes frames, readings, switches and contracts until it is told to stop") {
  Setup setup;
  const auto id =
      setup.service.open_session("camera", {{"latency-budget-us", sdbus::Variant{std::uint64_t{20'000}}}});
  setup.service.record_frame(
      {monotonic_us() - 60'000'000, 1, 1, 0, 0});  // long before: not of this recording
  const auto file = setup.folder.file("a.jsonl");
  const auto recorder = setup.start({"record", file, "--interval", "0.05"});
  REQUIRE(comes(file, "\"type\":\"session\""));
  setup.service.record_frame({monotonic_us(), 1'000, 9'000, 1, 0});
  setup.service.record_frame({monotonic_us(), 2'000, 29'000, 1, 1});
  setup.service.record_frame({monotonic_us(), 0, 0, 0, 2});
  REQUIRE(comes(file, "\"outcome\":\"dropped\""));
  setup.service.emit_subnet_changed(id, "small");
  REQUIRE(comes(file, "\"type\":\"switch\""));
  CHECK(setup.run({"set", id, "latency-budget-us=30000"}) == kExitOk);
  REQUIRE(comes(file, "\"latency-budget-us\":30000"));
  recorder->send(SIGINT);
  CHECK(recorder->wait() == kExitOk);
  CHECK(recorder->out().find("3 frames of 1 session, 1 switches in ") != std::string::npos);
  CHECK(recorder->err() == "");

  std::ifstream in(file);
  const auto recording = dofa::recording::read(in);
  REQUIRE(recording.sessions.size() == 1);
  const auto& session = recording.sessions[0];
  CHECK(session.application == "camera");
  CHECK(session.family == "pets");
  REQUIRE(session.frames.size() == 3);
  CHECK(session.frames[0].latency_us() == 10'000);
  CHECK(session.frames[0].t_us > 0);
  CHECK(session.frames[0].t_us < recording.duration_us);
  CHECK(session.frames[1].outcome == dofa::client::FrameRecord::Outcome::kLate);
  CHECK_FALSE(session.frames[2].answered());
  REQUIRE(session.marks.size() == 1);
  CHECK(session.marks[0].reason == "load rose");
  REQUIRE(session.contracts.size() == 2);
  CHECK(recording.families.at("pets").at(1).top1 == 0.75);
  CHECK(recording.processors.at("cpu").at(0).processor.load == 0.5);

  const auto svg = setup.folder.file("a.svg"), html = setup.folder.file("a.html");
  CHECK(setup.run({"plot", file, "-o", svg}) == kExitOk);
  CHECK(contents(svg).starts_with("<svg "));
  CHECK(contents(svg).find("large to small on cpu: load rose") != std::string::npos);
  CHECK(setup.run({"plot", file, "--output=" + html, "--session", id}) == kExitOk);
  CHECK(contents(html).starts_with("<!doctype html>"));
}

TEST_CASE("record ends by itself after --seconds, picks sessions, and writes to stdout") {
  Setup setup;
  const auto one = setup.service.open_session("one", {});
  const auto two = setup.service.open_session("two", {});
  const auto recorder = setup.start({"record", "-", "--seconds", "0.3", "--session", two});
  CHECK(recorder->wait() == kExitOk);
  std::istringstream out(recorder->out());
  const auto recording = dofa::recording::read(out);
  REQUIRE(recording.sessions.size() == 1);
  CHECK(recording.sessions[0].id == two);
  CHECK(recording.duration_us >= 300'000);
  CHECK(recorder->out().find("\"session\":\"" + one + "\"") == std::string::npos);
}

TEST_CASE("record writes each frame once although the service was slow for a while") {
  Setup setup;
  setup.service.open_session("camera", {});
  const auto file = setup.folder.file("a.jsonl");
  const auto recorder = setup.start({"record", file, "--interval", "0.05"});
  REQUIRE(comes(file, "\"type\":\"session\""));
  setup.service.record_frame({monotonic_us(), 1'000, 9'000, 1, 0});
  REQUIRE(comes(file, "\"type\":\"frame\""));
  setup.service.fail("RecentFrames", "org.freedesktop.DBus.Error.Timeout");
  REQUIRE(setup.service.saw("RecentFrames", setup.service.seen("RecentFrames") + 3));
  setup.service.fail("RecentFrames", "");
  setup.service.record_frame({monotonic_us(), 0, 0, 0, 2});
  REQUIRE(comes(file, "\"outcome\":\"dropped\""));
  recorder->send(SIGINT);
  CHECK(recorder->wait() == kExitOk);
  CHECK(recorder->out().find("2 frames of 1 session, ") != std::string::npos);
  std::ifstream in(file);
  const auto recording = dofa::recording::read(in);
  REQUIRE(recording.sessions.size() == 1);
  CHECK(recording.sessions[0].frames.size() == 2);
}

TEST_CASE("record and plot name what is wrong in one line") {
  Setup setup;
  std::string err;
  CHECK(setup.run({"record", setup.folder.file("x"), "--session", "nope"}, &err) == kExitNotFound);
  CHECK(err == "dofactl: there is no session 'nope'\n");
  CHECK(setup.run({"record", "/nonexistent/file"}, &err) == kExitFailed);
  CHECK(err == "dofactl: /nonexistent/file: No such file or directory\n");
  CHECK(setup.run({"record", "--bus", "unix:path=/nonexistent", setup.folder.file("x")}) == kExitUnreachable);
  CHECK_FALSE(fs::exists(setup.folder.file("x")));
  if (fs::exists("/dev/full")) {
    CHECK(setup.run({"record", "/dev/full", "--seconds", "1"}, &err) == kExitFailed);
    CHECK(err == "dofactl: /dev/full: No space left on device\n");
  }
  CHECK(setup.run({"plot", "/nonexistent", "-o", "x.svg"}, &err) == kExitFailed);
  CHECK(err == "dofactl: /nonexistent: No such file or directory\n");
  CHECK(setup.run({"plot", "/dev/null"}, &err) == kExitUsage);
  CHECK(err == "dofactl: 'plot' needs -o FILE.svg or -o FILE.html\n");
  CHECK(setup.run({"plot", "/dev/null", "-o", "x.png"}, &err) == kExitUsage);
  CHECK(err == "dofactl: 'x.png' ends neither in .svg nor in .html\n");
  CHECK(setup.run({"plot", "/dev/null", "-o", setup.folder.file("x.svg")}, &err) == kExitFailed);
  CHECK(err == "dofactl: /dev/null: line 1: is no recording of dofactl\n");
  const auto file = setup.folder.file("a.jsonl");
  CHECK(setup.run({"record", file, "--seconds", "0.1"}) == kExitOk);
  CHECK(setup.run({"plot", file, "-o", setup.folder.file("x.svg"), "--session", "99"}) == kExitNotFound);
}
