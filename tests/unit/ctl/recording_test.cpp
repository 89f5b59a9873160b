// SPDX-License-Identifier: Apache-2.0
// Recordings: written lines read back, what is no recording, the numbers, and where a picture puts things.
#include "client/recording/recording.hpp"

#include <cmath>
#include <sstream>

#include "client/recording/lines.hpp"
#include "client/recording/panel.hpp"
#include "client/recording/plot.hpp"
#include "client/recording/summary.hpp"
#include "client/recording/svg.hpp"
#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::recording;
using Outcome = client::FrameRecord::Outcome;

namespace {

Recording read_text(const std::string& text) {
  std::istringstream file(text);
  return recording::read(file);
}

std::string fault_of(const std::string& text) {
  try {
    (void)read_text(text);
    return "";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

client::Family pets() {
  client::Family family;
  family.name = "pets";
  family.subnets.resize(2);
  family.subnets[0].name = "small";
  family.subnets[0].top1 = 0.5;
  family.subnets[1].name = "large";
  family.subnets[1].level = 1;
  family.subnets[1].top1 = 0.75;
  return family;
}

client::SessionInfo camera(std::uint64_t budget_us) {
  client::SessionInfo session;
  session.id = "7";
  session.application = "camera";
  session.family = "pets";
  session.contract.latency_budget_us = budget_us;
  return session;
}

/// Ten seconds of one camera: two frames answered, one late, one dropped; the budget is relaxed at 6 s.
std::string ten_seconds() {
  return start_line(1'700'000'000'000'000, "0.1.0", 200'000) + family_line(1'000, pets()) +
         session_line(1'000, camera(20'000)) +
         frame_line("7", {.t_us = 5'000'000, .queue_us = 5'000, .service_us = 10'000, .level = 1}) +
         frame_line("7", {.t_us = 2'000'000, .queue_us = 0, .service_us = 3'000, .level = 0}) +
         frame_line("7", {.t_us = 7'000'000,
                          .queue_us = 1'000,
                          .service_us = 24'000,
                          .level = 1,
                          .outcome = Outcome::kLate}) +
         frame_line("7", {.t_us = 8'000'000, .outcome = Outcome::kDropped}) +
         processors_line(3'000'000, {{.name = "cpu", .load = 0.5, .others_load = 0.25, .slowdown = 1.5}}) +
         processors_line(6'000'000, {{.name = "cpu", .load = 1.0, .others_load = 0.75, .slowdown = 2.5}}) +
         event_line(4'000'000, {.kind = client::Event::Kind::kSubnetChanged,
                                .session = "7",
                                .subnet_change = {"small", "large", "cpu", "there is <room> & time"}}) +
         event_line(5'500'000, {.kind = client::Event::Kind::kContractUnmet,
                                .session = "7",
                                .reason = "too slow",
                                .nearest = {.latency_budget_us = 25'000, .period_us = 40'000}}) +
         session_line(6'000'000, camera(30'000)) + lost_line(6'500'000, "7", 3) + end_line(10'000'000);
}

/// Tags opened and closed in order, attributes quoted: what an XML reader insists on. "" where all is well.
std::string xml_fault(const std::string& text) {
  std::vector<std::string> open;
  for (std::size_t at = text.find('<'); at != text.npos; at = text.find('<', at + 1)) {
    const auto end = text.find('>', at);
    if (end == text.npos) return "unfinished tag";
    const std::string tag = text.substr(at + 1, end - at - 1);
    if (tag.find('<') != tag.npos) return "a bare < before " + tag;
    const auto name =
        tag.substr(tag.front() == '/' ? 1 : 0, tag.find_first_of(" /", 1) - (tag.front() == '/' ? 1 : 0));
    if (tag.front() == '/') {
      if (open.empty() || open.back() != tag.substr(1)) return "closes what is not open: " + tag;
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(tag.substr(0, tag.find(' ')));
    }
  }
  return open.empty() ? "" : "left open: " + open.back();
}

}  // namespace

TEST_CASE("what was recorded is read back, frames in the order of their arrival") {
  const auto recording = read_text(ten_seconds());
  CHECK(recording.time_us == 1'700'000'000'000'000);
  CHECK(recording.service_version == "0.1.0");
  CHECK(recording.duration_us == 10'000'000);
  REQUIRE(recording.families.at("pets").size() == 2);
  CHECK(recording.families.at("pets")[1].top1 == 0.75);
  REQUIRE(recording.sessions.size() == 1);
  const auto& session = recording.sessions[0];
  CHECK(session.application == "camera");
  CHECK(session.lost == 3);
  REQUIRE(session.contracts.size() == 2);
  CHECK(session.contracts[1].t_us == 6'000'000);
  CHECK(session.contracts[1].contract.latency_budget_us == 30'000);
  REQUIRE(session.frames.size() == 4);
  CHECK(session.frames[0].t_us == 2'000'000);
  CHECK(session.frames[1].latency_us() == 15'000);
  CHECK(session.frames[1].level == 1);
  CHECK(session.frames[2].outcome == Outcome::kLate);
  CHECK_FALSE(session.frames[3].answered());
  REQUIRE(session.marks.size() == 2);
  CHECK(session.marks[0].change.to == "large");
  CHECK(session.marks[0].reason == "there is <room> & time");
  CHECK(session.marks[1].kind == Mark::Kind::kUnmet);
  CHECK(session.marks[1].nearest.latency_budget_us == 25'000);
  REQUIRE(recording.processors.at("cpu").size() == 2);
  CHECK(recording.processors.at("cpu")[1].processor.slowdown == 2.5);
  CHECK_FALSE(recording.processors.at("cpu")[1].processor.queue);
}

TEST_CASE("a number that a restarted service gives again is another session") {
  const auto text = start_line(0, "1", 1) + session_line(1, camera(1)) +
                    event_line(2, {.kind = client::Event::Kind::kServiceVanished}) +
                    frame_line("7", {.t_us = 2, .service_us = 1}) +  // seen just before
                    session_line(3, camera(2)) + frame_line("7", {.t_us = 4, .service_us = 1});
  const auto recording = read_text(text);
  REQUIRE(recording.sessions.size() == 2);
  CHECK(recording.sessions[0].closed_us == 2);
  CHECK(recording.sessions[0].frames.size() == 1);
  CHECK(recording.sessions[1].frames.size() == 1);
}

TEST_CASE("what happened to a session before the recorder first looked at it is not lost") {
  const auto recording = read_text(start_line(0, "1", 1) +
                                   event_line(5, {.kind = client::Event::Kind::kSubnetChanged,
                                                  .session = "7",
                                                  .subnet_change = {"a", "b", "cpu", "first plan"}}) +
                                   session_line(9, camera(1)));
  REQUIRE(recording.sessions.size() == 1);
  REQUIRE(recording.sessions[0].marks.size() == 1);
  CHECK(recording.sessions[0].marks[0].reason == "first plan");
}

TEST_CASE("a recording that was cut short counts as far as it goes; what is none is named by its line") {
  const auto whole = ten_seconds();
  const auto cut = read_text(whole.substr(0, whole.size() - 5));
  CHECK(cut.sessions.size() == 1);
  CHECK(cut.duration_us < 10'000'000);
  CHECK(fault_of("") == "line 1: is no recording of dofactl");
  CHECK(fault_of("hello\n") == "line 1: is no line of a recording");
  CHECK(fault_of("{\"schema\":2,\"type\":\"start\",\"t_us\":0,\"time_us\":0}\n") ==
        "line 1: is no recording that this dofactl can read");
  CHECK(fault_of(end_line(1)) == "line 1: is no recording that this dofactl can read");
  CHECK(fault_of(start_line(0, "1", 1) + "{\"type\":\"frame\"\n" + end_line(1)) ==
        "line 2: is no line of a recording");
  CHECK(fault_of(start_line(0, "1", 1) + "[1]\n" + end_line(1)) == "line 2: is no line of a recording");
  CHECK(fault_of(start_line(0, "1", 1) + "{\"type\":\"session\",\"t_us\":1,\"session\":\"1\"}\n") ==
        "line 2: is no line of a recording");
  CHECK(fault_of(start_line(0, "1", 1) + "{\"type\":\"from the future\",\"t_us\":5}\n") == "");
}

TEST_CASE("a session's numbers") {
  const auto recording = read_text(ten_seconds());
  const auto summary = summarize(recording.sessions[0], recording.families.at("pets"));
  CHECK(summary.frames == 4);
  CHECK(summary.late == 1);
  CHECK(summary.dropped == 1);
  CHECK(summary.attainment == 0.5);
  CHECK(summary.switches == 1);
  CHECK(summary.unmet == 1);
  CHECK(*summary.mean_accuracy == Catch::Approx((0.5 + 0.75 + 0.75) / 3));
  CHECK(summary.latency_us_p50 == 15'000);
  CHECK(summary.latency_us_p99 == 25'000);
  CHECK(summary.frames_by_level == std::map<std::uint32_t, std::uint64_t>{{0, 1}, {1, 2}});
  CHECK_FALSE(summarize(recording.sessions[0], {}).mean_accuracy);  // levels of unknown accuracy
  CHECK_FALSE(summarize({}, {}).attainment);

  // Nearest rank, as Wikipedia's example has it: 15 20 35 40 50 at 5, 30, 40, 50 and 100 %.
  const std::vector<std::uint64_t> sorted{15, 20, 35, 40, 50};
  CHECK(quantile(sorted, 0.05) == 15);
  CHECK(quantile(sorted, 0.3) == 20);
  CHECK(quantile(sorted, 0.4) == 20);
  CHECK(quantile(sorted, 0.5) == 35);
  CHECK(quantile(sorted, 1) == 50);
}

TEST_CASE("round steps for an axis") {
  using Steps = std::vector<double>;
  CHECK(ticks(100, 5) == Steps{0, 20, 40, 60, 80, 100});
  CHECK(ticks(30, 5) == Steps{0, 10, 20, 30});
  CHECK(ticks(7, 5) == Steps{0, 2, 4, 6});
  CHECK(ticks(0, 5) == Steps{0});
  CHECK(ticks(NAN, 5) == Steps{0});
  CHECK(ticks(0.9, 3).size() == 2);
  CHECK(tick_label(0.5, 0.5) == "0.5");
  CHECK(tick_label(20, 10) == "20");
  CHECK(tick_label(0.02, 0.01) == "0.02");
}

TEST_CASE("contracts and marks in words") {
  CHECK(words_of(client::Contract{}) == "");
  // As the service states one, with its defaults.
  const client::Contract stated{.latency_budget_us = 33'300,
                                .min_accuracy = 0.0,
                                .period_us = 40'000,
                                .objective = "accuracy",
                                .percentile = 0.95,
                                .priority = 1,
                                .when_late = "deliver"};
  CHECK(words_of(stated) == "33.3 ms, 25 frames/s");
  CHECK(words_of(client::Contract{
            .min_accuracy = 0.7, .percentile = 0.99, .priority = 5, .when_late = "drop", .level = 2}) ==
        "top-1 of 70 % at least, 99 % in time, priority 5, late frames dropped, fixed at level 2");
  const auto recording = read_text(ten_seconds());
  const auto& session = recording.sessions[0];
  CHECK(words_of(session.marks[0], session) == "small to large on cpu: there is <room> & time");
  CHECK(words_of(session.marks[1], session) ==
        "contract cannot be kept: too slow; nearest: 25 ms, 25 frames/s");
}

TEST_CASE("a picture has each frame where its time and latency are, in its level's colour") {
  const auto recording = read_text(ten_seconds());
  const auto svg = plot_svg(recording);
  INFO(svg);
  CHECK(xml_fault(svg) == "");
  // 5 s of 10 is the middle of the time axis.
  const auto middle = formatted("M%.1f ", kPlotLeft + kPlotWidth / 2);
  const auto dots = [&](std::size_t level) {
    const auto end = svg.find("' stroke='" + level_colour(level, 2) + "'");
    REQUIRE(end != svg.npos);
    const auto begin = svg.rfind("d='", end);
    return svg.substr(begin, end - begin);
  };
  CHECK(dots(1).find(middle) != std::string::npos);
  CHECK(dots(0).find(middle) == std::string::npos);
  // 15 ms is half way up to 45 ms, 1.5 times the largest budget: a third of the height above the axis.
  const auto y_of = [&](const std::string& path, const std::string& start) {
    return std::stod(path.substr(path.find(start) + start.size()));
  };
  const double at_15_ms = y_of(dots(1), middle);
  const double at_25_ms = y_of(dots(1), formatted("M%.1f ", kPlotLeft + kPlotWidth * 0.7));
  CHECK(at_15_ms - at_25_ms == Catch::Approx(220.0 * 10 / 45).margin(0.11));
  CHECK(svg.find("<title>dropped</title>") != std::string::npos);
  CHECK(svg.find("there is &lt;room&gt; &amp; time") != std::string::npos);
  CHECK(svg.find(">30 ms<") != std::string::npos);  // the contract's line
  CHECK(svg.find("cpu: load") != std::string::npos);
  CHECK(svg.find("cpu: slowdown") != std::string::npos);
}

TEST_CASE("a page holds the picture and the numbers, and nothing from elsewhere") {
  const auto html = plot_html(read_text(ten_seconds()));
  CHECK(html.find("<svg") != std::string::npos);
  CHECK(html.find("<td class='n'>50.00 %</td>") != std::string::npos);
  CHECK(html.find("small 1, large 2") != std::string::npos);
  CHECK(html.find("there is &lt;room&gt; &amp; time") != std::string::npos);
  for (const char* outside : {"http://", "https://", "<script", "<link", "url("}) {
    INFO(outside);
    const auto at = html.find(outside);
    CHECK((at == html.npos || html.compare(at, 26, "http://www.w3.org/2000/svg") == 0));
  }
  const auto empty = plot_html(read_text(start_line(0, "1", 1)));
  CHECK(empty.find("dofad, no sessions") != std::string::npos);
}

TEST_CASE("levels are told apart, from dark to light") {
  CHECK(level_colour(0, 4) != level_colour(1, 4));
  CHECK(level_colour(0, 2) == "#440154");
  CHECK(level_colour(1, 2) == "#e6a000");
  CHECK(level_colour(0, 1) == level_colour(1, 3));
}
