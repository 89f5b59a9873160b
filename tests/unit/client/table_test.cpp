// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/table.hpp"

#include <clocale>

#include "client/ctl/present.hpp"
#include "tests/support/catch.hpp"

using namespace dofa::ctl;

namespace {

/// Width of characters is the locale's knowledge.
struct Utf8 {
  Utf8() { REQUIRE(std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr); }
};

constexpr auto kRight = Table::Align::kRight;

}  // namespace

TEST_CASE("columns line up by what the eye sees, not by bytes") {
  const Utf8 locale;
  Table table({{"NAME"}, {"N", kRight}, {"LAST"}});
  table.add({"Käse", "1", "x"});
  table.add({"猫", "100", "y"});
  table.add({"e\u0301a", "20"});
  CHECK(table.render({}) ==
        "NAME    N  LAST\n"
        "Käse    1  x\n"
        "猫    100  y\n"
        "e\u0301a     20\n");
}

TEST_CASE("columns that nobody fills are left out, an empty table keeps its header") {
  const Utf8 locale;
  Table table({{"A"}, {"B"}, {"C"}});
  CHECK(table.render({}) == "A  B  C\n");
  table.add({"1", "", "3"});
  CHECK(table.render({}) == "A  C\n1  3\n");
}

TEST_CASE("a table too wide for the terminal shrinks where it may, and says so with an ellipsis") {
  const Utf8 locale;
  Table table({{"ID"}, {"TEXT", Table::Align::kLeft, true}, {"END"}});
  table.add({"1", "a rather long text in a cell", "x"});
  CHECK(table.render({.width = 20}) ==
        "ID  TEXT         END\n"
        "1   a rather l…  x\n");
  for (const std::size_t width : {1, 15, 20, 30, 40}) {
    const auto text = table.render({.width = width});
    const auto line = text.substr(0, text.find('\n'));
    CHECK(width_of(line) <= std::max<std::size_t>(width, 17));  // 17: what cannot shrink further
  }
}

TEST_CASE("nothing in a cell can command the terminal") {
  const Utf8 locale;
  CHECK(printable("a\033[31mb\nc\td") == "a?[31mb?c?d");
  CHECK(printable("\xff\xfe ok \xc3") == "?? ok ?");
  CHECK(printable("\xc2\x9b") == "?");  // CSI as one character
  Table table({{"A"}});
  table.add({"x\033]0;title\007"});
  CHECK(table.render({}) == "A\nx?]0;title?\n");
}

TEST_CASE("cutting counts columns and never splits a character") {
  const Utf8 locale;
  CHECK(cut("猫猫猫", 6) == "猫猫猫");
  CHECK(cut("猫猫猫", 5) == "猫猫…");
  CHECK(cut("猫猫猫", 4) == "猫…");
  CHECK(cut("abc", 1) == "…");
  CHECK(cut("abc", 0).empty());
}

TEST_CASE("quantities are printed for people") {
  CHECK(percent(0.7126) == "71.3 %");
  CHECK(percent(std::numeric_limits<double>::quiet_NaN()).empty());
  CHECK(milliseconds(12'345) == "12.35 ms");
  CHECK(bytes(0) == "0 B");
  CHECK(bytes(1023) == "1023 B");
  CHECK(bytes(1536) == "1.5 KiB");
  CHECK(bytes(std::uint64_t{3} << 20) == "3.0 MiB");
}
