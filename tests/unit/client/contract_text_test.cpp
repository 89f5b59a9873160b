// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/contract_text.hpp"

#include "tests/support/catch.hpp"

using namespace dofa::ctl;
using dofa::client::Contract;

namespace {

std::string complaint(const std::string& assignment) {
  Contract contract;
  try {
    set_from_text(contract, assignment);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("each contract key is set with its own type and reads back as it was written") {
  const std::vector<std::string> words{"latency-budget-us=30000", "min-accuracy=0.7", "period-us=40000",
                                       "objective=latency",       "percentile=0.99",  "priority=3",
                                       "when-late=drop",          "level=2",          "processor=cuda:0"};
  Contract contract;
  std::string joined;
  for (const auto& word : words) {
    set_from_text(contract, word);
    joined += (joined.empty() ? "" : " ") + word;
  }
  CHECK(contract == Contract{.latency_budget_us = 30'000,
                             .min_accuracy = 0.7,
                             .period_us = 40'000,
                             .objective = "latency",
                             .percentile = 0.99,
                             .priority = 3,
                             .when_late = "drop",
                             .level = 2,
                             .processor = "cuda:0"});
  CHECK(to_text(contract) == joined);

  dofa::json::Writer writer;
  write_json(writer, {.min_accuracy = 0.5, .when_late = "drop", .level = 0});
  CHECK(writer.text() == R"({"min-accuracy":0.5,"when-late":"drop","level":0})");
  CHECK(to_text({}).empty());
}

TEST_CASE("a wrong assignment is named in one line") {
  CHECK(complaint("latency-budget-u=1") ==
        "unknown contract key 'latency-budget-u'; did you mean 'latency-budget-us'?");
  CHECK(complaint("colour=red") == "unknown contract key 'colour'");
  CHECK(complaint("=1") == "unknown contract key ''");
  CHECK(complaint("level").starts_with("contract key 'level' needs a value"));
  CHECK(complaint("level=") == "contract key 'level' wants a whole number, not ''");
  CHECK(complaint("level=-1") == "contract key 'level' wants a whole number, not '-1'");
  CHECK(complaint("level=4294967296") == "contract key 'level' wants a whole number, not '4294967296'");
  CHECK(complaint("level=1.5") == "contract key 'level' wants a whole number, not '1.5'");
  CHECK(complaint("min-accuracy=nan") == "contract key 'min-accuracy' wants a number, not 'nan'");
  CHECK(complaint("processor=") == "contract key 'processor' wants a word, not ''");
  Contract contract{.level = 1};
  CHECK_THROWS_AS(set_from_text(contract, "level=2"), UsageError);
}
