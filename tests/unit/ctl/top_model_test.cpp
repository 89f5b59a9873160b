// SPDX-License-Identifier: Apache-2.0
// What `dofactl top` remembers, and what keys do.
#include "client/ctl/usage.hpp"
#include "client/top/model.hpp"
#include "client/top/ui.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ctl/top_support.hpp"

using namespace dofa;
using namespace dofa::top;
using namespace dofa::test;

TEST_CASE("frames become latencies, rates and shares of the intervals between two looks") {
  Model model;
  model.take(look(0, {"7"}, {{"7", frames(500, 9'000)}}));  // of any age: says nothing of a rate
  REQUIRE(model.rows().size() == 1);
  CHECK(model.rows()[0].history.empty());
  CHECK(model.rows()[0].frames_per_s(5'000'000) == 0);
  CHECK_FALSE(model.rows()[0].in_time(5'000'000));

  model.take(look(1'000'000, {"7"}, {{"7", frames(20, 10'000)}}));
  auto mixed = frames(19, 10'000);
  mixed.push_back({.queue_us = 30'000, .service_us = 10'000, .outcome = client::FrameRecord::Outcome::kLate});
  mixed.push_back({.outcome = client::FrameRecord::Outcome::kDropped});
  model.take(look(2'000'000, {"7"}, {{"7", mixed}}));
  const auto& row = model.rows()[0];
  REQUIRE(row.history.size() == 2);
  CHECK(row.history[0].latency_us == 10'000);
  CHECK(row.history[1].latency_us == 10'000);  // 19 of 20 answered are faster
  CHECK(row.history[1].missed == 2);
  CHECK(row.frames_per_s(5'000'000) == Catch::Approx(41 / 2.0));
  CHECK(row.frames_per_s(1'000'000) == Catch::Approx(21));
  CHECK(*row.in_time(5'000'000) == Catch::Approx(39.0 / 41));
  CHECK(*row.in_time(500'000) == Catch::Approx(19.0 / 21));

  model.take(look(3'000'000, {"7"}, {}));
  CHECK(model.rows()[0].latency_us() == 10'000);  // the latest that there is
  model.take(look(4'000'000, {"8"}, {}));
  REQUIRE(model.rows().size() == 1);
  CHECK(model.rows()[0].info.id == "8");
  CHECK(model.rows()[0].history.empty());
}

TEST_CASE("after the service was away nothing of before is mixed in") {
  Model model;
  model.take(look(0, {"7"}, {}));
  model.take(look(1'000'000, {"7"}, {{"7", frames(5, 1'000)}}));
  model.note("7", {.clock = "12:00:00", .words = "small to large"});
  model.note("99", {.clock = "12:00:00", .words = "nobody's"});
  REQUIRE(model.rows()[0].notes.size() == 1);
  model.lose("no answer");
  CHECK(model.trouble() == "no answer");
  CHECK(model.rows().size() == 1);  // stays to be seen
  model.take(look(9'000'000, {"7"}, {{"7", frames(5, 1'000)}}));
  CHECK(model.trouble().empty());
  CHECK(model.rows()[0].history.empty());
  CHECK(model.rows()[0].notes.empty());
}

TEST_CASE("a history has an end") {
  Model model;
  for (std::int64_t i = 0; i < 400; ++i) {
    model.take(look(i * 1'000'000, {"7"}, {}));
    model.note("7", {.clock = "", .words = std::to_string(i)});
  }
  CHECK(model.rows()[0].history.size() <= Model::kHistory);
  CHECK(model.rows()[0].notes.size() == Model::kNotes);
  CHECK(model.rows()[0].notes.front().words == "399");
}

namespace {

/// Three sessions: 1 "zebra" slow and late, 2 "ant" fast, 3 "mole" in between, with a budget each.
Model three() {
  Model model;
  auto first = look(0, {"1", "2", "3"}, {});
  model.take(first);
  auto second = look(1'000'000, {"1", "2", "3"},
                     {{"1", frames(10, 40'000)}, {"2", frames(30, 2'000)}, {"3", frames(20, 15'000)}});
  second.frames["1"][0].outcome = client::FrameRecord::Outcome::kLate;
  second.sessions[0].application = "zebra";
  second.sessions[1].application = "ant";
  second.sessions[2].application = "mole";
  model.take(second);
  return model;
}

std::string order_of(const Ui& ui, const Model& model) {
  std::string order;
  for (const auto index : ui.order(model)) order += model.rows()[index].info.id;
  return order;
}

Ui::Effect type(Ui& ui, const Model& model, const std::string& text) {
  Ui::Effect effect;
  for (const char c : text) effect = ui.press({Key::Kind::kText, c}, model);
  return effect;
}

}  // namespace

TEST_CASE("s sorts, r turns round, and the selection stays with its session") {
  const auto model = three();
  Ui ui;
  CHECK(order_of(ui, model) == "123");
  ui.press({Key::Kind::kEnd}, model);
  CHECK(ui.selected(model) == 2);
  type(ui, model, "s");
  CHECK(ui.sort() == Sort::kApplication);
  CHECK(order_of(ui, model) == "231");
  CHECK(ui.selected(model) == 1);  // still session 3
  type(ui, model, "s");
  CHECK(order_of(ui, model) == "132");  // latency
  type(ui, model, "s");
  CHECK(order_of(ui, model) == "123");  // the one with a late frame first
  type(ui, model, "s");
  CHECK(order_of(ui, model) == "231");  // rate
  type(ui, model, "r");
  CHECK(order_of(ui, model) == "132");
  type(ui, model, "s");
  CHECK(ui.sort() == Sort::kSession);
  CHECK_FALSE(ui.reversed());
}

TEST_CASE("arrows select, within bounds") {
  const auto model = three();
  Ui ui;
  ui.press({Key::Kind::kUp}, model);
  CHECK(ui.selected(model) == 0);
  ui.press({Key::Kind::kDown}, model);
  type(ui, model, "j");
  type(ui, model, "j");
  CHECK(ui.selected(model) == 2);
  type(ui, model, "k");
  CHECK(ui.selected(model) == 1);
  ui.press({Key::Kind::kHome}, model);
  CHECK(ui.selected(model) == 0);
  ui.press({Key::Kind::kPageDown}, model);
  CHECK(ui.selected(model) == 2);
  CHECK(Ui().press({Key::Kind::kDown}, Model()).quit == false);  // with nothing there
}

TEST_CASE("b starts from the budget there is and asks for what was typed") {
  const auto model = three();
  Ui ui;
  type(ui, model, "b");
  REQUIRE(ui.prompt());
  CHECK(ui.prompt()->text == "20");
  CHECK(label_of(*ui.prompt()) == "Latency budget of zebra (1), ms: ");
  ui.press({Key::Kind::kBackspace}, model);
  type(ui, model, "5.5q");  // no key quits or sorts in here
  CHECK(ui.prompt()->text == "25.5q");
  CHECK_FALSE(ui.press({Key::Kind::kEnter}, model).wish);
  CHECK(ui.message_is_error());
  REQUIRE(ui.prompt());  // to be mended
  ui.press({Key::Kind::kBackspace}, model);
  const auto effect = ui.press({Key::Kind::kEnter}, model);
  REQUIRE(effect.wish);
  CHECK(effect.wish->session == "1");
  CHECK(effect.wish->changes.latency_budget_us == 25'500);
  CHECK_FALSE(effect.wish->changes.min_accuracy);
  CHECK_FALSE(ui.prompt());
}

TEST_CASE("what is typed becomes contract keys, or is refused in words") {
  using Field = Prompt::Field;
  const auto changes = [](Field field, const std::string& text) {
    return changes_of({.field = field, .session = "1", .application = "x", .text = text});
  };
  CHECK(changes(Field::kAccuracy, "72.5").min_accuracy == 0.725);
  CHECK(changes(Field::kPriority, "7").priority == 7);
  const auto both = changes(Field::kAnything, " when-late=drop  latency-budget-us=9000 ");
  CHECK(both.when_late == "drop");
  CHECK(both.latency_budget_us == 9'000);
  CHECK(changes(Field::kAnything, "level=").unset ==
        std::vector<std::string>{"level"});  // back to the default
  for (const auto& [field, text] :
       {std::pair{Field::kBudget, "0"}, std::pair{Field::kBudget, ""}, std::pair{Field::kBudget, "60001"},
        std::pair{Field::kAccuracy, "101"}, std::pair{Field::kPriority, "0"},
        std::pair{Field::kAnything, " "}, std::pair{Field::kAnything, "levle=1"},
        std::pair{Field::kAnything, "level"}}) {
    INFO(text);
    CHECK_THROWS_AS(changes(field, text), ctl::UsageError);
  }
}

TEST_CASE("Escape gives up, help is left by any key, q quits, and a message lasts until the next key") {
  const auto model = three();
  Ui ui;
  type(ui, model, "e");
  ui.press({Key::Kind::kEscape}, model);
  CHECK_FALSE(ui.prompt());
  type(ui, model, "h");
  CHECK(ui.help());
  CHECK_FALSE(type(ui, model, "s").quit);
  CHECK_FALSE(ui.help());
  CHECK(ui.sort() == Sort::kSession);  // that key was spent
  ui.say("done", false);
  CHECK(ui.message() == "done");
  type(ui, model, "d");
  CHECK(ui.message().empty());
  CHECK_FALSE(ui.details());
  CHECK(type(ui, model, "q").quit);
  Ui empty;
  type(empty, Model(), "b");
  CHECK_FALSE(empty.prompt());
  CHECK(empty.message() == "there is no session");
}
