// SPDX-License-Identifier: Apache-2.0
// dofactl as its users run it: words in; data, words and exit codes out.

#include "client/ctl/usage.hpp"
#include "tests/unit/client/dofactl_setup.hpp"

using namespace dofa::test;
using namespace dofa::test::dofactl;
using namespace dofa::ctl;
namespace fs = std::filesystem;

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
  REQUIRE(status["processors"].size() == 2);
  CHECK(status["processors"][0]["name"].as<std::string>() == "cpu");
  CHECK(status["processors"][0]["slowdown"].as<double>() == 1.25);
  CHECK_FALSE(status["processors"][0]["queue"]);
  CHECK_FALSE(status["processors"][0]["lost"]);
  CHECK(status["processors"][1]["model"].as<std::string>() == "Fake GPU");
  CHECK(status["processors"][1]["lost"].as<std::string>() == "it fell off the bus");
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
  CHECK(session["statistics"]["switches"].as<int>() == 4);
  CHECK(session["statistics"]["service_us_p95"].as<double>() == 9'500);
  CHECK_FALSE(session["statistics"]["mean_accuracy"]);
  CHECK(setup.ask({"sessions"}).out.find("latency-budget-us=30000 when-late=drop level=1") !=
        std::string::npos);

  CHECK(setup.ask({"set", "999", "level=1"}).code == kExitNotFound);
  CHECK(setup.ask({"set", id, "levle=1"}).code == kExitUsage);
  CHECK(setup.ask({"set", id}).code == kExitUsage);
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
  const auto busy = setup.ask({"unload", "pets"});
  CHECK(busy.code == kExitFailed);
  CHECK(busy.err == "dofactl: told to fail; --force closes its sessions\n");
  CHECK(setup.ask({"unload", "plants"}).code == kExitNotFound);
}

TEST_CASE("a service that does not answer is named, with how long it was waited for") {
  Setup setup;
  setup.service.stall(std::chrono::milliseconds(300));
  const auto result = setup.ask({"--timeout", "0.1", "reload"});
  CHECK(result.code == kExitTimedOut);
  CHECK(result.err == "dofactl: dofad did not answer in 0.1 s\n");
}

TEST_CASE("a closed standard stream is no other descriptor's place") {
  const Setup setup;
  const std::string status = "exec '" DOFACTL_PROGRAM "' --bus '" + setup.bus.address() + "' status ";
  Program no_output({"/bin/sh", "-c", status + ">&-"});
  CHECK(no_output.wait() == kExitFailed);
  CHECK(no_output.err() == "dofactl: cannot write to stdout: Bad file descriptor\n");
  Program no_errors({"/bin/sh", "-c", status + "2>&-"});
  CHECK(no_errors.wait() == kExitOk);
  CHECK(no_errors.out().find("cpu") != std::string::npos);
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

TEST_CASE("profile has a family measured anew, waits for it, and shows what came of it") {
  Setup setup;
  const auto text = setup.ask({"profile", "pets"});
  CHECK(text.code == kExitOk);
  CHECK(text.err.empty());
  CHECK(setup.service.last_dictionary_of("ProfileFamily").at("name").get<std::string>() == "pets");
  CHECK(text.out.starts_with("pets: torchscript"));  // no live line where there is no terminal
  CHECK(text.out.find(" 6.79 ms") != std::string::npos);
  CHECK(text.out.find('~') == std::string::npos);
  CHECK(text.out == setup.ask({"show", "pets"}).out);

  const auto family = json(setup.ask({"profile", "pets", "--json"}).out)["family"];
  CHECK(family["subnets"][1]["profiles"]["cpu"]["latency_us"].as<int>() == 6'789);
  CHECK_FALSE(family["subnets"][1]["profiles"]["cpu"]["provisional"].as<bool>());

  const auto missing = setup.ask({"profile", "plants"});
  CHECK(missing.code == kExitNotFound);
  CHECK(missing.err == "dofactl: no family 'plants' is loaded\n");

  setup.service.take_to_profile(1'000'000);
  const auto busy = setup.ask({"profile", "pets", "--timeout", "2"});
  CHECK(busy.code == kExitTimedOut);
  CHECK(busy.out.empty());
  CHECK(busy.err ==
        "dofactl: 'pets' is not measured on cpu yet; dofad goes on measuring whenever it is quiet there\n");
  setup.service.fail("ProfileFamily", "org.dofa.Dofa1.Error.NotAuthorized");
  CHECK(setup.ask({"profile", "pets"}).code == kExitNotAuthorized);
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
  const auto verbs = json(run({"help", "--json"}).out)["verbs"];
  REQUIRE(verbs.size() > 10);
  CHECK(verbs[0]["name"].as<std::string>() == "status");
  const auto classify = json(run({"classify", "--help", "--json"}).out)["verbs"];
  REQUIRE(classify.size() == 1);
  CHECK(classify[0]["options"][0]["name"].as<std::string>().starts_with("--"));
}

TEST_CASE("colour is only where it is wanted") {
  const Setup setup;
  CHECK(setup.ask({"--color", "always"}).out.find("\033[1mPROCESSOR") != std::string::npos);
  CHECK(setup.ask({"--color", "auto"}).out.find('\033') == std::string::npos);
  CHECK(run({"--color=never"}, {{"DOFA_BUS", setup.bus.address()}}).out.find('\033') == std::string::npos);
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
