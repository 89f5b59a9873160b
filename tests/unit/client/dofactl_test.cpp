// SPDX-License-Identifier: Apache-2.0
// dofactl as its users run it: words in; data, words and exit codes out. Its JSON is read with yaml-cpp, of
// which JSON is a subset.
#include <signal.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>

#include "client/ctl/usage.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/private_bus.hpp"
#include "tests/unit/client/fake_service.hpp"
#include "tests/unit/client/program.hpp"

using namespace dofa::test;
using namespace dofa::ctl;
namespace fs = std::filesystem;
using namespace std::string_literals;

namespace {

struct Result {
  int code;
  std::string out;
  std::string err;
};

Result run(const std::vector<std::string>& arguments,
           const std::map<std::string, std::string>& environment = {}) {
  std::vector<std::string> words{DOFACTL_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  Program program(words, environment);
  const int code = program.wait();
  INFO(program.err());
  return {code, program.out(), program.err()};
}

/// One object on one line, and nothing else.
YAML::Node json(const std::string& text) {
  INFO(text);
  REQUIRE(text.find('\n') == text.size() - 1);
  const auto node = YAML::Load(text);
  REQUIRE(node["schema"].as<int>() == 1);
  return node;
}

struct Setup {
  PrivateBus bus;
  FakeService service{bus.address()};

  [[nodiscard]] Result ask(std::vector<std::string> arguments) const {
    return run(arguments, {{"DOFA_BUS", bus.address()}});
  }
};

class Folder {
 public:
  Folder() {
    char pattern[] = "/tmp/dofactl-test-XXXXXX";
    path_ = ::mkdtemp(pattern);
  }
  ~Folder() { fs::remove_all(path_); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path_ / name;
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Three by two pixels: red 10 (x + 1) + y, green 20 + x, blue 30 + y.
const std::string kPng =
    "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x03\x00\x00\x00\x02\x08"
    "\x02\x00\x00\x00\x12\x16\xf1\x4d\x00\x00\x00\x19\x49\x44\x41\x54\x08\xd7\x63\xe4\x12\x91\xe3\x62\x64"
    "\x00\x22\x16\x46\x06\x46\x46\x06\x06\x20\x02\x00\x05\xca\x00\x5c\x94\xa2\xa0\x0e\x00\x00\x00\x00\x49"
    "\x45\x4e\x44\xae\x42\x60\x82"s;
const std::string kWebp =
    "\x52\x49\x46\x46\x38\x00\x00\x00\x57\x45\x42\x50\x56\x50\x38\x4c\x2c\x00\x00\x00\x2f\x02\x40\x00\x00"
    "\x2f\x20\x10\x48\x61\x3b\x2c\x26\x4d\x31\x3b\x55\x20\x9b\xec\x22\xf9\x5b\x36\xff\xf1\x85\x1a\xd4\x00"
    "\x0a\xd9\x46\x80\x43\xf7\x7a\x9c\xc2\x45\xf4\x3f\x96\x17"s;
const std::vector<unsigned char> kPixels{10, 20, 30, 20, 21, 30, 30, 22, 30,
                                         11, 20, 31, 21, 21, 31, 31, 22, 31};

}  // namespace

TEST_CASE("without a verb dofactl shows the status, for people and for programs") {
  const Setup setup;
  const auto text = setup.ask({});
  CHECK(text.code == kExitOk);
  CHECK(text.err.empty());
  CHECK(text.out.starts_with("dofad 1.2.3, running; families: 1, sessions: 0\n"));
  CHECK(text.out.find("50.0 %") != std::string::npos);
  CHECK(text.out.find("TEMPERATURE") == std::string::npos);  // not known
  CHECK(text.out.find('\033') == std::string::npos);

  const auto status = json(setup.ask({"--json"}).out);
  CHECK(status["version"].as<std::string>() == "1.2.3");
  CHECK(status["state"].as<std::string>() == "running");
  CHECK(status["families"].as<int>() == 1);
  CHECK(status["sessions"].as<int>() == 0);
  REQUIRE(status["processors"].size() == 1);
  CHECK(status["processors"][0]["name"].as<std::string>() == "cpu");
  CHECK(status["processors"][0]["slowdown"].as<double>() == 1.25);
  CHECK_FALSE(status["processors"][0]["queue"]);
}

TEST_CASE("families are listed and shown with what was measured") {
  const Setup setup;
  const auto list = json(setup.ask({"families", "--json"}).out)["families"];
  CHECK(setup.ask({"list", "--json"}).out == setup.ask({"families", "--json"}).out);
  REQUIRE(list.size() == 1);
  CHECK(list[0]["name"].as<std::string>() == "pets");
  CHECK(list[0]["levels"].as<int>() == 2);
  CHECK_FALSE(list[0]["labels"]);

  const auto family = json(setup.ask({"show", "pets", "--json"}).out)["family"];
  CHECK(family["labels"][1].as<std::string>() == "dog");
  CHECK_FALSE(family["subnets"][0]["top1"]);
  CHECK(family["subnets"][1]["top1"].as<double>() == 0.75);
  CHECK(family["subnets"][1]["profiles"]["cpu"]["latency_us"].as<int>() == 12'345);
  CHECK(family["subnets"][1]["profiles"]["cpu"]["provisional"].as<bool>());

  const auto text = setup.ask({"show", "pets"}).out;
  CHECK(text.find("~12.35 ms") != std::string::npos);
  CHECK(text.find("Accuracy measured on zoo (1000 images).") != std::string::npos);

  const auto missing = setup.ask({"show", "plants"});
  CHECK(missing.code == kExitNotFound);
  CHECK(missing.out.empty());
  CHECK(missing.err == "dofactl: no family 'plants' is loaded\n");
}

TEST_CASE("sessions are listed, and set changes a contract") {
  Setup setup;
  const auto id = setup.service.open_session("camera", {{"level", sdbus::Variant{std::uint32_t{1}}}});
  CHECK(setup.ask({"set", id, "latency-budget-us=30000", "when-late=drop"}).code == kExitOk);
  const auto session = json(setup.ask({"sessions", "--json"}).out)["sessions"][0];
  CHECK(session["id"].as<std::string>() == id);
  CHECK(session["application"].as<std::string>() == "camera");
  CHECK(session["family"].as<std::string>() == "pets");
  CHECK(session["attainment"].IsNull());  // NaN
  CHECK(session["contract"]["latency-budget-us"].as<int>() == 30'000);
  CHECK(session["contract"]["when-late"].as<std::string>() == "drop");
  CHECK(session["contract"]["level"].as<int>() == 1);
  CHECK(setup.ask({"sessions"}).out.find("latency-budget-us=30000 when-late=drop level=1") !=
        std::string::npos);

  CHECK(setup.ask({"set", "999", "level=1"}).code == kExitNotFound);
  CHECK(setup.ask({"set", id, "levle=1"}).code == kExitUsage);
  CHECK(setup.ask({"set", id}).code == kExitUsage);
}

TEST_CASE("classify decodes PNG and WebP to rgb8 and prints the classes") {
  Setup setup;
  const Folder folder;
  for (const auto& file : {folder.write("a.png", kPng), folder.write("a.webp", kWebp)}) {
    INFO(file);
    const auto result =
        setup.ask({"classify", "--json", "--top", "2", "--level=1", "--contract", "priority=7", file});
    REQUIRE(result.code == kExitOk);
    CHECK(result.err.empty());
    const auto seen = setup.service.last_frame();
    CHECK(seen.pixels == kPixels);
    CHECK(seen.format.at("width").get<std::uint32_t>() == 3);
    CHECK(seen.format.at("height").get<std::uint32_t>() == 2);
    CHECK(seen.format.at("format").get<std::string>() == "rgb8");
    CHECK(seen.format.at("top-k").get<std::uint32_t>() == 2);
    const auto contract = setup.service.last_dictionary();
    CHECK(contract.at("level").get<std::uint32_t>() == 1);
    CHECK(contract.at("priority").get<std::uint32_t>() == 7);

    const auto answer = json(result.out);
    CHECK(answer["family"].as<std::string>() == "pets");
    const auto image = answer["images"][0];
    CHECK(image["file"].as<std::string>() == file);
    CHECK(image["top"][0]["class"].as<int>() == 10);
    CHECK(image["top"][0]["label"].as<std::string>() == "class 10");
    CHECK(image["top"][0]["probability"].as<double>() == 0.75);
    CHECK(image["top"][1]["label"].as<std::string>() == "dog");
    CHECK(image["subnet"].as<std::string>() == "large");
    CHECK(image["inference_us"].as<int>() == 3000);
    CHECK(image["round_trip_us"].as<std::int64_t>() > 0);
  }
  const auto table = setup.ask({"classify", folder.path() / "a.png"}).out;
  CHECK(table.find("75.0 %") != std::string::npos);
  CHECK(table.find("3.21 ms") != std::string::npos);
}

TEST_CASE("an image that fails is named, and the others go on") {
  Setup setup;
  const Folder folder;
  const auto good = folder.write("good.png", kPng);
  const auto bad = folder.write("bad.png", kPng.substr(0, 20));
  const auto empty = folder.write("empty.png", "");
  const auto missing = (folder.path() / "missing.png").string();
  const auto result = setup.ask({"classify", "--json", bad, missing, folder.path(), empty, good});
  CHECK(result.code == kExitFailed);
  const auto images = json(result.out)["images"];
  REQUIRE(images.size() == 5);
  for (int i = 0; i < 4; ++i) CHECK(images[i]["error"]["name"].as<std::string>() == "InvalidImage");
  CHECK(images[4]["top"].size() == 2);
  CHECK(result.err.find("dofactl: " + bad + ": is not an image that can be decoded\n") != std::string::npos);
  CHECK(result.err.find("dofactl: " + missing + ": No such file or directory\n") != std::string::npos);
  CHECK(result.err.find("is a directory\n") != std::string::npos);
  CHECK(result.err.find("is empty\n") != std::string::npos);

  setup.service.fail("Infer", "org.dofa.Dofa1.Error.ResourceExhausted");
  const auto refused = setup.ask({"classify", "--json", good});
  CHECK(refused.code == kExitFailed);
  CHECK(json(refused.out)["images"][0]["error"]["name"].as<std::string>() == "ResourceExhausted");
}

TEST_CASE("exit codes tell what kind of failure it was") {
  Setup setup;
  CHECK(run({"--bus", "unix:path=/nonexistent"}).code == kExitUnreachable);
  const PrivateBus deserted;
  CHECK(run({"--bus", deserted.address()}).code == kExitUnreachable);
  CHECK(run({"status", "--bus=" + deserted.address()}).code == kExitUnreachable);

  for (const auto& [name, code] :
       std::map<std::string, int>{{"org.dofa.Dofa1.Error.NotAuthorized", kExitNotAuthorized},
                                  {"org.freedesktop.DBus.Error.AccessDenied", kExitNotAuthorized},
                                  {"org.dofa.Dofa1.Error.InvalidArgument", kExitFailed},
                                  {"org.freedesktop.DBus.Error.Timeout", kExitTimedOut}}) {
    INFO(name);
    setup.service.fail("Reload", name);
    const auto result = setup.ask({"reload"});
    CHECK(result.code == code);
    CHECK(result.out.empty());
    CHECK(result.err == "dofactl: told to fail\n");
  }
  setup.service.fail("UnloadFamily", "org.dofa.Dofa1.Error.Busy");
  CHECK(setup.ask({"unload", "pets"}).code == kExitFailed);
  CHECK(setup.ask({"unload", "plants"}).code == kExitNotFound);
}

TEST_CASE("a frame that is not answered in time ends as the options say") {
  Setup setup;
  setup.service.hold_frames(true);
  const Folder folder;
  const auto result = setup.ask({"--timeout", "0.1", "classify", "--json", folder.write("a.png", kPng)});
  CHECK(result.code == kExitFailed);
  CHECK(json(result.out)["images"][0]["error"]["name"].as<std::string>() == "TimedOut");
}

TEST_CASE("administrators' verbs pass on what they are given") {
  Setup setup;
  const auto loaded = setup.ask({"load", "/srv/../srv/pets"});
  CHECK(loaded.out == "pets\n");
  CHECK(setup.service.last_dictionary().at("directory").get<std::string>() == "/srv/pets");
  CHECK(setup.ask({"unload", "--force", "pets"}).code == kExitOk);
  CHECK(setup.service.last_dictionary().at("force").get<bool>());
  CHECK(setup.service.last_dictionary().at("family").get<std::string>() == "/org/dofa/Dofa1/family/p_65ts");
  CHECK(setup.ask({"reload"}).out.empty());
  CHECK(json(setup.ask({"load", "/srv/pets", "--json"}).out)["family"].as<std::string>() == "pets");
}

TEST_CASE("a wrong command line is answered in one line on stderr") {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
      {{"clasify"}, "unknown verb 'clasify'; did you mean 'classify'?"},
      {{"status", "--jsn"}, "unknown option '--jsn'; did you mean '--json'?"},
      {{"--jsn", "status"}, "unknown option '--jsn'; did you mean '--json'?"},
      {{"--bus"}, "option '--bus' needs a value: --bus system|session|ADDRESS"},
      {{"--color", "red"}, "option '--color' wants auto, always or never, not 'red'"},
      {{"--timeout", "0"}, "option '--timeout' wants a number from 0.001 to 86400, not '0'"},
      {{"status", "now"}, "'status' takes no arguments"},
      {{"show"}, "'show' needs more arguments: dofactl show NAME"},
      {{"classify"}, "'classify' needs more arguments: dofactl classify IMAGE…"},
      {{"classify", "--top", "0", "x"}, "option '--top' wants a whole number from 1 to 100, not '0'"},
      {{"config", "chek"}, "'config' knows only 'check', not 'chek'"},
      {{"status", "--force"}, "unknown option '--force'"},
      {{"help", "unlaod"}, "unknown verb 'unlaod'; did you mean 'unload'?"}};
  for (const auto& [words, complaint] : cases) {
    const auto result = run(words, {{"DOFA_BUS", "unix:path=/nonexistent"}});
    INFO(complaint);
    CHECK(result.code == kExitUsage);
    CHECK(result.out.empty());
    CHECK(result.err == "dofactl: " + complaint + "\n");
  }
}

TEST_CASE("help and version need no service") {
  const auto help = run({"--help"});
  CHECK(help.code == kExitOk);
  CHECK(help.out.find("7 dofad not reachable") != std::string::npos);
  CHECK(run({"help", "classify"}).out.find("--min-accuracy") != std::string::npos);
  CHECK(run({"classify", "--help"}).out == run({"help", "classify"}).out);
  CHECK(run({"version"}).out.starts_with("dofactl "));
  CHECK(run({"--version"}).out == run({"version"}).out);
  json(run({"version", "--json"}).out);
}

TEST_CASE("colour is only where it is wanted") {
  const Setup setup;
  CHECK(setup.ask({"--color", "always"}).out.find("\033[1mPROCESSOR") != std::string::npos);
  CHECK(setup.ask({"--color", "auto"}).out.find('\033') == std::string::npos);
  CHECK(run({"--color=never"}, {{"DOFA_BUS", setup.bus.address()}}).out.find('\033') == std::string::npos);
}

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

TEST_CASE("config check and parse-tegrastats run the dofad beside dofactl") {
  const Folder folder;
  fs::copy_file(DOFACTL_PROGRAM, folder.path() / "dofactl");
  const auto dofad = folder.write("dofad", "#!/bin/sh\necho \"$@\"\ncase \"$*\" in *bad*) exit 2;; esac\n");
  fs::permissions(dofad, fs::perms::owner_all);
  const auto ask = [&](std::vector<std::string> words) {
    words.insert(words.begin(), folder.path() / "dofactl");
    Program program(words);
    const int code = program.wait();
    return Result{code, program.out(), program.err()};
  };
  CHECK(ask({"config", "check"}).out == "--check-config\n");
  CHECK(ask({"config", "check", "/a/good.yaml"}).out == "--check-config --config /a/good.yaml\n");
  CHECK(ask({"config", "check", "/a/bad.yaml"}).code == kExitFailed);
  const auto report = json(ask({"config", "check", "/a/bad.yaml", "--json"}).out);
  CHECK_FALSE(report["ok"].as<bool>());
  CHECK(report["message"].as<std::string>() == "--check-config --config /a/bad.yaml");
  CHECK(ask({"parse-tegrastats", "log", "--json"}).out == "--parse-tegrastats log\n");
}
