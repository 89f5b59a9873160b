// SPDX-License-Identifier: Apache-2.0
// libdofa-client against a fake service on a private bus: the service, its sessions, contracts and errors.
#include <algorithm>

#include "proto/names.hpp"
#include "tests/unit/client/client_setup.hpp"

using namespace dofa::client;
using namespace dofa::test;
using namespace std::chrono_literals;

TEST_CASE("a bus that is not there is unreachable, and so is a bus without the service") {
  CHECK(code_of([] { Client::connect({.bus = "unix:path=/nonexistent/socket"}); }) ==
        ErrorCode::kUnreachable);
  CHECK(code_of([] { Client::connect({.bus = "no address"}); }) == ErrorCode::kUnreachable);
  const PrivateBus bus;
  const auto client = Client::connect({.bus = bus.address()});
  CHECK(code_of([&] { (void)client.service(); }) == ErrorCode::kUnreachable);
  CHECK(code_of([&] { (void)client.families(); }) == ErrorCode::kUnreachable);
}

TEST_CASE("what the service says about itself arrives as structs") {
  Setup setup;
  const auto service = setup.client.service();
  CHECK(service.version == "1.2.3");
  CHECK(service.state == "running");
  REQUIRE(service.processors.size() == 2);
  CHECK(service.processors[0].name == "cpu");
  CHECK(service.processors[0].lanes == 2U);
  CHECK(service.processors[0].slowdown == 1.25);
  CHECK_FALSE(service.processors[0].temperature_celsius.has_value());
  CHECK_FALSE(service.processors[0].lost.has_value());
  CHECK(service.processors[1].model == "Fake GPU");
  CHECK(service.processors[1].lost == "it fell off the bus");

  const auto family = setup.client.family("pets");
  CHECK(family.labels == std::vector<std::string>{"cat", "dog"});
  REQUIRE(family.subnets.size() == 2);
  CHECK_FALSE(family.subnets[0].top1.has_value());
  CHECK(family.subnets[0].profiles.empty());
  CHECK(family.subnets[1].macs == 566'000'000U);
  CHECK(family.subnets[1].profiles.at("cpu").latency_us == 12'345);
  CHECK(family.subnets[1].profiles.at("cpu").provisional);
  CHECK(code_of([&] { (void)setup.client.family("plants"); }) == ErrorCode::kNotFound);
}

TEST_CASE("sessions of everybody are listed in the order of their numbers") {
  Setup setup;
  for (int i = 0; i < 4; ++i) setup.service->open_session("camera", {});  // 7, 8, 9 and 10
  const auto sessions = setup.client.sessions();
  REQUIRE(sessions.size() == 4);
  CHECK(sessions[0].id == "7");
  CHECK(sessions[3].id == "10");
  CHECK(sessions[0].application == "camera");
  CHECK(sessions[0].family == "pets");  // not its object path
  CHECK(sessions[0].frames == 100);
  CHECK(sessions[0].attainment != sessions[0].attainment);
}

TEST_CASE("a contract travels with the types that the interface documents") {
  Setup setup;
  const Contract contract{.latency_budget_us = 30'000,
                          .min_accuracy = 0.7,
                          .period_us = 40'000,
                          .objective = "latency",
                          .percentile = 0.99,
                          .priority = 3,
                          .when_late = "drop",
                          .level = 1,
                          .processor = "cpu"};
  const auto session = setup.client.open_session("test", "pets", contract);
  const auto sent = setup.service->last_dictionary();
  CHECK(sent.size() == 9);
  CHECK(sent.at("latency-budget-us").get<std::uint64_t>() == 30'000);
  CHECK(sent.at("min-accuracy").get<double>() == 0.7);
  CHECK(sent.at("period-us").get<std::uint64_t>() == 40'000);
  CHECK(sent.at("objective").get<std::string>() == "latency");
  CHECK(sent.at("percentile").get<double>() == 0.99);
  CHECK(sent.at("priority").get<std::uint32_t>() == 3);
  CHECK(sent.at("when-late").get<std::string>() == "drop");
  CHECK(sent.at("level").get<std::uint32_t>() == 1);
  CHECK(sent.at("processor").get<std::string>() == "cpu");
  const auto info = session.info();
  CHECK(info.id == session.id());
  CHECK(info.family == "pets");
  CHECK(info.contract == contract);
}

TEST_CASE("only the keys that are set are changed, on any session that exists") {
  Setup setup;
  const auto id = setup.service->open_session("other", {});
  auto session = setup.client.session(id);
  session.set_contract({.priority = 5});
  CHECK(setup.service->last_dictionary().size() == 1);
  CHECK(session.info().contract == Contract{.priority = 5});
  CHECK(code_of([&] { (void)setup.client.session("999"); }) == ErrorCode::kNotFound);
  CHECK(code_of([&] { (void)setup.client.session("../7"); }) == ErrorCode::kNotFound);
}

TEST_CASE("a handle on another's session leaves it open, one's own session closes with its object") {
  Setup setup;
  const auto id = setup.service->open_session("other", {});
  { const auto handle = setup.client.session(id); }
  { const auto own = setup.client.open_session("mine", "pets"); }
  REQUIRE(setup.service->saw("Close"));
  setup.client.reload();  // ordered behind everything sent before
  CHECK(setup.service->seen("Close") == 1);
  CHECK_FALSE(setup.client.session(id).id().empty());
  const auto sessions = setup.client.sessions();
  CHECK(std::ranges::any_of(sessions, [&](const SessionInfo& session) { return session.id == id; }));
}

TEST_CASE("every error name of the service becomes its code, an unknown one a failure") {
  Setup setup;
  auto session = setup.client.open_session("test", "pets");
  for (std::size_t i = 0; i < dofa::proto::kErrorNames.size(); ++i) {
    setup.service->fail("SetContract",
                        std::string(dofa::proto::kErrorPrefix) + std::string(dofa::proto::kErrorNames[i]));
    const auto code = code_of([&] { session.set_contract({.level = 1}); });
    CHECK(code == static_cast<ErrorCode>(i));
    CHECK(name_of(code) == dofa::proto::kErrorNames[i]);
  }
  setup.service->fail("SetContract", "org.dofa.Dofa1.Error.FromTheFuture");
  CHECK(code_of([&] { session.set_contract({.level = 1}); }) == ErrorCode::kFailed);
  setup.service->fail("SetContract", "org.freedesktop.DBus.Error.AccessDenied");
  CHECK(code_of([&] { session.set_contract({.level = 1}); }) == ErrorCode::kNotAuthorized);
  setup.service->fail("Infer", "org.dofa.Dofa1.Error.MissedDeadline");
  CHECK(code_of([&] { session.infer(Picture(1).frame()); }) == ErrorCode::kMissedDeadline);
}

TEST_CASE("administrators' calls name what they are about") {
  Setup setup;
  CHECK(setup.client.load_family("/srv/pets") == "pets");
  CHECK(setup.service->last_dictionary().at("directory").get<std::string>() == "/srv/pets");
  setup.client.unload_family("pets", true);
  CHECK(setup.service->last_dictionary().at("force").get<bool>());
  setup.client.unload_family("pets");
  CHECK_FALSE(setup.service->last_dictionary().contains("force"));
  CHECK(code_of([&] { setup.client.unload_family("plants"); }) == ErrorCode::kNotFound);
  setup.client.reload();
  CHECK(setup.service->saw("Reload"));
}
