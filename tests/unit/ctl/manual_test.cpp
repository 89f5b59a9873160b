// SPDX-License-Identifier: Apache-2.0
// dofactl(1) against what dofactl itself says: every verb with its arguments, every option, every contract
// key and exit code; and nothing that is not there.
#include <fstream>
#include <regex>
#include <set>

#include "client/ctl/contract_text.hpp"
#include "client/ctl/verbs.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/client/program.hpp"

using namespace dofa;
using dofa::test::Program;

namespace {

/// The page without its formatting: requests' arguments joined, escapes resolved as far as names need it.
std::string manual() {
  std::ifstream file(std::string(DOFA_SOURCE_DIR) + "/client/ctl/dofactl.1");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  text = std::regex_replace(text, std::regex(R"(\\f.)"), "");
  text = std::regex_replace(text, std::regex(R"(\\-)"), "-");
  text = std::regex_replace(text, std::regex(R"(\.\.\.)"), "…");
  return text;
}

bool has(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("the manual has every verb, option, key and exit code") {
  const auto page = manual();
  for (const auto& verb : ctl::verbs()) {
    INFO(verb.name);
    if (verb.hidden) continue;
    CHECK(has(page, "\n.SS " + std::string(verb.name) +
                        (verb.arguments.empty() ? "" : " " + std::string(verb.arguments)) + "\n"));
    for (const auto& option : verb.options) {
      INFO(option.name);
      CHECK(has(page, std::string(option.name)));
    }
  }
  for (const auto& option : ctl::global_options()) {
    INFO(option.name);
    CHECK(
        has(page, std::string(option.name) + (option.value.empty() ? "" : " " + std::string(option.value))));
  }
  for (const auto key : ctl::contract_keys()) {
    INFO(key);
    CHECK(has(page, "\n.B " + std::string(key) + "\n"));
  }
  for (const char* code : {"0", "1", "2", "3", "4", "5", "7"})
    CHECK(has(page, std::string("\n.B ") + code + "\n"));
}

TEST_CASE("the manual has no option that dofactl does not know") {
  std::set<std::string> known;
  for (const auto& option : ctl::global_options()) known.insert(std::string(option.name));
  for (const auto& verb : ctl::verbs()) {
    for (const auto& option : verb.options) known.insert(std::string(option.name));
  }
  const auto page = manual();
  const std::regex word(R"((^|[\s\[",])(--[a-z][a-z-]*))");
  for (std::sregex_iterator match(page.begin(), page.end(), word), end; match != end; ++match) {
    INFO((*match)[2].str());
    CHECK(known.contains((*match)[2].str()));
  }
}

TEST_CASE("help names every verb, and each verb's help its options") {
  Program help({DOFACTL_PROGRAM, "help"});
  REQUIRE(help.wait() == 0);
  for (const auto& verb : ctl::verbs()) {
    INFO(verb.name);
    CHECK(has(help.out(), "\n  " + std::string(verb.name) + " ") != verb.hidden);
    Program of_verb({DOFACTL_PROGRAM, "help", std::string(verb.name)});
    REQUIRE(of_verb.wait() == 0);
    for (const auto& option : verb.options) CHECK(has(of_verb.out(), "\n  " + std::string(option.name)));
  }
}
