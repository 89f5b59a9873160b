// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/options.hpp"

#include "tests/support/catch.hpp"

using namespace dofa::ctl;

namespace {

constexpr std::array kKnown{Option{"--family", "NAME", ""}, Option{"--top", "K", ""},
                            Option{"--json", "", ""}, Option{"--contract", "KEY=VALUE", "", true}};

CommandLine parse(const std::vector<std::string>& words) {
  return parse_options(words, kKnown);
}

std::string complaint(const std::vector<std::string>& words) {
  try {
    parse(words);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("options stand anywhere, with their value behind a blank or an equals sign") {
  const auto line = parse({"a.jpg", "--family", "pets", "b.jpg", "--top=3", "--json"});
  CHECK(line.arguments() == std::vector<std::string>{"a.jpg", "b.jpg"});
  CHECK(line.text("--family") == "pets");
  CHECK(line.integer("--top", 1, 100) == 3U);
  CHECK(line.has("--json"));
  CHECK_FALSE(parse({}).has("--json"));
  CHECK(parse({"--family="}).text("--family") == "");
}

TEST_CASE("two dashes end the options") {
  const auto line = parse({"--json", "--", "--family", "-x"});
  CHECK(line.arguments() == std::vector<std::string>{"--family", "-x"});
}

TEST_CASE("an option's value may look like an option, a lone dash is an argument") {
  CHECK(parse({"--family", "--json"}).text("--family") == "--json");
  CHECK(parse({"-"}).arguments() == std::vector<std::string>{"-"});
}

TEST_CASE("each mistake is named in one line") {
  CHECK(complaint({"--famly", "x"}) == "unknown option '--famly'; did you mean '--family'?");
  CHECK(complaint({"--quux"}) == "unknown option '--quux'");
  CHECK(complaint({"-x"}) == "unknown option '-x'");
  CHECK(complaint({"--family"}) == "option '--family' needs a value: --family NAME");
  CHECK(complaint({"--json=yes"}) == "option '--json' takes no value");
  CHECK(complaint({"--top", "1", "--top", "2"}) == "option '--top' is given twice");
  CHECK(parse({"--contract", "a=1", "--contract=b=2"}).all("--contract") ==
        std::vector<std::string>{"a=1", "b=2"});
}

TEST_CASE("numbers are whole, in range, and nothing else") {
  for (const char* bad : {"0", "101", "-1", "3x", "", " 3", "1e1", "18446744073709551616"}) {
    INFO(bad);
    const auto line = parse({std::string("--top=") + bad});
    CHECK_THROWS_AS(line.integer("--top", 1, 100), UsageError);
  }
  CHECK(parse({"--top=0.5"}).number("--top", 0, 1) == 0.5);
  for (const char* bad : {"nan", "inf", "1.5", "-0.1", "0,5", "x", ""}) {
    INFO(bad);
    CHECK_THROWS_AS(parse({std::string("--top=") + bad}).number("--top", 0, 1), UsageError);
  }
}

TEST_CASE("the first argument is found behind options and their values") {
  const std::vector<std::string> words{"--family", "status", "--json", "--top=2", "classify", "x"};
  CHECK(first_argument(words, kKnown) == 4);
  const std::vector<std::string> only_options{"--json", "--family"};
  CHECK(first_argument(only_options, kKnown) == 2);
}
