// SPDX-License-Identifier: Apache-2.0
// The screen of `dofactl top` as text, at the sizes that terminals have.
#include "client/top/view.hpp"

#include <algorithm>
#include <clocale>

#include "client/ctl/table.hpp"
#include "client/top/columns.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ctl/top_support.hpp"

using namespace dofa;
using namespace dofa::top;
using namespace dofa::test;

namespace {

const bool kLocale = std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr;  // as dofactl's main does

std::string text_of(const Line& line) {
  std::string text;
  for (const auto& piece : line) text += piece.text;
  return text;
}

std::string text_of(const Screen& screen) {
  std::string text;
  for (const auto& line : screen.lines) text += text_of(line) + "\n";
  return text;
}

bool has(const Screen& screen, const std::string& words) {
  return text_of(screen).find(words) != std::string::npos;
}

std::vector<std::string> numbers(std::size_t count) {
  std::vector<std::string> ids;
  for (std::size_t i = 1; i <= count; ++i) ids.push_back(std::to_string(i));
  return ids;
}

Model with_sessions(std::size_t count) {
  Model model;
  model.take(look(0, numbers(count), {}));
  model.take(look(1'000'000, numbers(count), {{"1", frames(25, 12'300)}}));
  return model;
}

}  // namespace

TEST_CASE("a screen is exactly as large as the terminal, whatever it shows") {
  REQUIRE(kLocale);
  const auto [width, height] = GENERATE(table<std::size_t, std::size_t>(
      {{80, 24}, {120, 40}, {60, 15}, {200, 50}, {20, 5}, {5, 3}, {1, 1}, {80, 2}}));
  const std::size_t sessions = GENERATE(0, 1, 3, 40);
  INFO(width << "x" << height << ", " << sessions << " sessions");
  auto model = with_sessions(sessions);
  for (int i = 0; i < 30; ++i)
    model.note("1", {.clock = "12:00:00", .words = "small to large on cpu: " + std::string(90, 'x')});
  Ui plain, help, prompt, message, bare;
  help.press({Key::Kind::kText, 'h'}, model);
  prompt.press({Key::Kind::kText, 'e'}, model);
  for (int i = 0; i < 150; ++i) prompt.press({Key::Kind::kText, 'y'}, model);
  message.say(std::string(300, 'z'), true);
  bare.press({Key::Kind::kText, 'd'}, model);
  for (const Ui* ui : {&plain, &help, &prompt, &message, &bare}) {
    for (const bool ascii : {false, true}) {
      const auto screen =
          draw(model, *ui, {.width = width, .height = height, .ascii = ascii, .clock = "12:34:56"});
      REQUIRE(screen.lines.size() == height);
      for (const auto& line : screen.lines) {
        INFO(text_of(line));
        CHECK(ctl::width_of(text_of(line)) == width);
        if (ascii)
          CHECK(std::ranges::all_of(text_of(line),
                                    [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
      }
      if (screen.cursor) CHECK(*screen.cursor < width);
    }
  }
  CHECK(draw(Model(), plain, {.width = width, .height = height}).lines.size() == height);
}

TEST_CASE("80 by 24 has everything that matters") {
  const auto model = with_sessions(2);
  const auto screen = draw(model, Ui(), {.width = 80, .height = 24, .clock = "12:34:56"});
  const auto text = text_of(screen);
  INFO(text);
  for (const char* words : {"dofad 1.2.3",
                            "running",
                            "families: 1",
                            "sessions: 2",
                            "12:34:56",  // the service
                            "cpu",
                            "75 %",
                            "50 %",
                            "1.80x",
                            "54 °C",  // processors
                            "camera",
                            "4/5",
                            "71.3 %",
                            "12.3 ms",
                            "20.0 ms",
                            "97.5 %",
                            "25.0",  // a session
                            "latency-budget-us=20000",
                            "120, 3 missed",
                            "q quit",
                            "h help"})  // the rest
    CHECK(text.find(words) != std::string::npos);
  CHECK(has(screen, "▄"));  // 12.3 ms of a full height of 26.7: between three and four eighths
}

TEST_CASE("narrow screens lose the less important columns, wide ones gain") {
  const auto titles = [](std::size_t width) {
    std::string text;
    for (const auto& column : columns_for(width, {})) text += std::string(column.title) + " ";
    return text;
  };
  CHECK(titles(200) == "ID APPLICATION FAMILY LEVEL SUBNET ON TOP-1 LATENCY BUDGET HISTORY IN TIME FPS ");
  CHECK(titles(80) == "ID APPLICATION LEVEL TOP-1 LATENCY BUDGET HISTORY IN TIME FPS ");
  CHECK(titles(60) == "ID APPLICATION LEVEL TOP-1 LATENCY BUDGET IN TIME ");
  CHECK(titles(30) == "ID APPLICATION LATENCY ");
  CHECK(titles(3) == "ID ");
}

TEST_CASE("the selected session stays in sight, and details give way to rows") {
  const auto model = with_sessions(40);
  Ui ui;
  ui.press({Key::Kind::kEnd}, model);
  const auto screen = draw(model, ui, {.width = 80, .height = 24});
  const auto selected = std::ranges::find_if(
      screen.lines, [](const Line& line) { return !line.empty() && line.front().style == Style::kSelected; });
  REQUIRE(selected != screen.lines.end());
  CHECK(text_of(*selected).starts_with(" 40 camera"));
  CHECK_FALSE(has(screen, "  1 camera"));
  CHECK(has(screen, "latency-budget-us"));
  CHECK_FALSE(has(draw(model, ui, {.width = 80, .height = 8}), "latency-budget-us"));
}

TEST_CASE("bars for latencies: height by the budget, colour by what was missed") {
  const auto at = [](std::uint64_t latency_us, std::uint32_t missed = 0) {
    return Interval{.frames = 10, .missed = missed, .latency_us = latency_us};
  };
  const std::deque<Interval> history{at(1'000),     at(10'000), at(20'000),
                                     at(30'000, 2), {},         {.frames = 3, .missed = 3}};
  const auto line = sparkline(history, 20'000, 8, false);
  CHECK(text_of(line) == "  ▁▃▆█ x");
  CHECK(text_of(sparkline(history, 20'000, 4, false)) == "▆█ x");  // the latest
  CHECK(text_of(sparkline(history, 20'000, 8, true)) == "  .-*@ x");
  CHECK(text_of(sparkline(history, 0, 6, false)) == "▁▃▆█ x");  // to the largest
  CHECK(text_of(sparkline({}, 0, 3, false)) == "   ");
  for (const auto& piece : line) {
    if (piece.text == "█") CHECK(piece.style == Style::kBad);
    if (piece.text == "▁▃▆") CHECK(piece.style == Style::kGood);
  }
}

TEST_CASE("a bar for the load: our share, the others', the rest") {
  const auto text = [](double load, double others) { return text_of(load_bar(load, others, 8, true)); };
  CHECK(text(0.75, 0.5) == "##====..");
  CHECK(text(0, 0) == "........");
  CHECK(text(1, 1) == "========");
  CHECK(text(0.5, 0.9) == "====....");  // readings of different moments
  CHECK(text(7, -1) == "########");
}

TEST_CASE("names from elsewhere do not reach the terminal as they are") {
  Model model;
  auto snapshot = look(0, {"1"}, {});
  snapshot.sessions[0].application = "\033[2Jevil\n";
  snapshot.sessions[0].subnet = "a\tb";
  model.take(snapshot);
  model.note("1", {.clock = "12:00:00", .words = "\033]0;x\007"});
  const auto text = text_of(draw(model, Ui(), {.width = 120, .height = 30}));
  CHECK(text.find('\033') == std::string::npos);
  CHECK(text.find('\007') == std::string::npos);
  CHECK(text.find("?[2Jevil?") != std::string::npos);
}

TEST_CASE("trouble is said on the last line, what was known stays") {
  auto model = with_sessions(1);
  model.lose("no answer from org.dofa.Dofa1");
  const auto screen = draw(model, Ui(), {.width = 80, .height = 24});
  CHECK(text_of(screen.lines.back()).starts_with("trying again: no answer from org.dofa.Dofa1"));
  CHECK(has(screen, "camera"));
}
