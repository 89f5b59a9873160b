// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "daemon/metrics/text.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/exposition.hpp"

using namespace dofa;
using namespace dofa::metrics;
using test::parse_exposition;

namespace {

Reading example() {
  Reading reading;
  reading.version = "1.2.3";
  reading.totals = {100, 7, 3, 5};
  control::ProcessorStatus cpu;
  cpu.name = "cpu";
  cpu.lanes = 3;
  cpu.queue = 2;
  cpu.slowdown = 1.25;
  cpu.machine.load = 0.5;
  cpu.machine.frequency_mhz = 1500;
  reading.processors = {cpu};
  FamilyReading family{"cifar10", 1000, {{"cpu", true}, {"cuda:0", false}}, {}};
  family.levels = {{"small", 0, 0.8, {{"cpu", 1500}, {"cuda:0", 250}}},
                   {"large", 1, std::numeric_limits<double>::quiet_NaN(), {{"cpu", 4000}}}};
  reading.families = {family};
  SessionReading session;
  session.id = 4;
  session.application = "a \"quoted\" \\ name";
  session.family = "cifar10";
  session.level = 1;
  session.expected_latency_us = 2500;
  session.contract.latency_budget_us = 30'000;
  session.frames = 10;
  session.missed = 1;
  session.attainment = 0.9;
  session.service_p95_us = 2000;
  reading.sessions = {session};
  return reading;
}

const std::string kSession = R"({session="4",application="a \"quoted\" \\ name",family="cifar10"})";

}  // namespace

TEST_CASE("a reading is told in base units, with types and labels") {
  const auto told = parse_exposition(to_text(example()));
  CHECK(told.at("dofad_build_info{version=\"1.2.3\"}") == 1);
  CHECK(told.at("dofad_frames_total") == 100);
  CHECK(told.at("dofad_missed_deadlines_total") == 7);
  CHECK(told.at("dofad_dropped_total") == 3);
  CHECK(told.at("dofad_switches_total") == 5);
  CHECK(told.at("dofad_sessions") == 1);
  CHECK(told.at("dofad_processor_slowdown_ratio{processor=\"cpu\"}") == 1.25);
  CHECK(told.at("dofad_processor_frequency_hertz{processor=\"cpu\"}") == 1.5e9);
  CHECK(told.at("dofad_processor_queue_frames{processor=\"cpu\"}") == 2);
  const std::string small =
      "dofad_level_latency_seconds{family=\"cifar10\",level=\"0\",subnet=\"small\",processor=\"";
  CHECK(told.at(small + "cpu\"}") == Catch::Approx(0.0015));
  CHECK(told.at(small + "cuda:0\"}") == Catch::Approx(0.00025));
  CHECK(told.at("dofad_family_profile_provisional{family=\"cifar10\",processor=\"cpu\"}") == 1);
  CHECK(told.at("dofad_family_profile_provisional{family=\"cifar10\",processor=\"cuda:0\"}") == 0);
  CHECK(told.at("dofad_processor_usable{processor=\"cpu\"}") == 1);
  CHECK(told.at("dofad_session_frames_total" + kSession) == 10);
  CHECK(told.at("dofad_session_level" + kSession) == 1);
  CHECK(told.at("dofad_session_service_p95_seconds" + kSession) == Catch::Approx(0.002));
  CHECK(told.at("dofad_session_latency_budget_seconds" + kSession) == Catch::Approx(0.03));
  for (const auto& [name, type] : told.types) {
    INFO(name);
    CHECK(name.starts_with("dofad_"));
    CHECK(type == (name.ends_with("_total") ? "counter" : "gauge"));
  }
}

TEST_CASE("what is not known is not told") {
  Reading reading = example();
  reading.sessions[0].frames = 0;
  reading.sessions[0].contract.latency_budget_us.reset();
  const auto told = parse_exposition(to_text(reading));
  CHECK_FALSE(told.types.contains("dofad_processor_temperature_celsius"));
  CHECK_FALSE(told.types.contains("dofad_session_attainment_ratio"));
  CHECK_FALSE(told.types.contains("dofad_session_latency_budget_seconds"));
  CHECK(told.samples.count("dofad_level_accuracy_ratio{family=\"cifar10\",level=\"0\",subnet=\"small\"}") ==
        1);
  CHECK(told.samples.count("dofad_level_accuracy_ratio{family=\"cifar10\",level=\"1\",subnet=\"large\"}") ==
        0);
  CHECK_FALSE(parse_exposition(to_text({})).types.contains("dofad_session_frames_total"));
}
