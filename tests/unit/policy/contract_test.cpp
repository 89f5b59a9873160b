// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/contract.hpp"

#include <cmath>
#include <limits>

#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::policy;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

ErrorCode code_of(const Contract& contract) {
  const Result<void> result = validate(contract);
  REQUIRE_FALSE(result.ok());
  return result.error().code;
}

}  // namespace

TEST_CASE("A contract that states nothing is valid") {
  CHECK(validate(Contract{}).ok());
}

TEST_CASE("Times outside 100 us to a minute are refused") {
  Contract contract;
  for (std::int64_t bad :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{99}, kMaxContractTimeUs + 1, INT64_MAX, INT64_MIN}) {
    INFO(bad);
    contract = {};
    contract.latency_budget_us = bad;
    CHECK(code_of(contract) == ErrorCode::kInvalidArgument);
    contract = {};
    contract.period_us = bad;
    CHECK(code_of(contract) == ErrorCode::kInvalidArgument);
  }
  for (std::int64_t good : {kMinContractTimeUs, std::int64_t{40'000}, kMaxContractTimeUs}) {
    contract = {};
    contract.latency_budget_us = good;
    contract.period_us = good;
    CHECK(validate(contract).ok());
  }
}

TEST_CASE("The message names the key and its range") {
  Contract contract;
  contract.latency_budget_us = 7;
  const std::string message = validate(contract).error().message;
  CHECK(message.find("latency-budget-us") != std::string::npos);
  CHECK(message.find("100..60000000") != std::string::npos);
}

TEST_CASE("Percentile lies strictly inside 0 and 1, accuracy within them, and NaN in neither") {
  Contract contract;
  for (double bad : {0.0, 1.0, -0.1, 1.1, kNan, HUGE_VAL}) {
    contract = {};
    contract.percentile = bad;
    CHECK(code_of(contract) == ErrorCode::kInvalidArgument);
  }
  for (double bad : {-0.01, 1.01, kNan, HUGE_VAL, -HUGE_VAL}) {
    contract = {};
    contract.min_accuracy = bad;
    CHECK(code_of(contract) == ErrorCode::kInvalidArgument);
  }
  contract = {};
  contract.percentile = 0.999;
  contract.min_accuracy = 1.0;
  CHECK(validate(contract).ok());
}

TEST_CASE("Priority runs from 1 to 100") {
  Contract contract;
  contract.priority = 0;
  CHECK(code_of(contract) == ErrorCode::kInvalidArgument);
  contract.priority = 101;
  CHECK(code_of(contract) == ErrorCode::kInvalidArgument);
  contract.priority = 100;
  CHECK(validate(contract).ok());
}

TEST_CASE("What a family cannot give is refused with the reason's code") {
  FamilyFacts family;
  family.levels = 3;
  family.accuracy_measured = true;
  family.best_accuracy = 0.8;
  Contract contract;

  SECTION("a level it does not have") {
    contract.level = 3;
    CHECK(validate(contract, family).error().code == ErrorCode::kInvalidArgument);
    contract.level = 2;
    CHECK(validate(contract, family).ok());
  }
  SECTION("more accuracy than its best level has") {
    contract.min_accuracy = 0.81;
    CHECK(validate(contract, family).error().code == ErrorCode::kUnsatisfiable);
    contract.min_accuracy = 0.8;
    CHECK(validate(contract, family).ok());
  }
  SECTION("an accuracy that nobody measured") {
    family.accuracy_measured = false;
    contract.min_accuracy = 0.5;
    CHECK(validate(contract, family).error().code == ErrorCode::kNotSupported);
    contract.min_accuracy = 0;
    CHECK(validate(contract, family).ok());
  }
  SECTION("energy without a measurement of it") {
    contract.objective = Objective::kEnergy;
    CHECK(validate(contract, family).error().code == ErrorCode::kNotSupported);
    family.energy_measured = true;
    CHECK(validate(contract, family).ok());
  }
  SECTION("values that no family could give come first") {
    contract.percentile = 2;
    CHECK(validate(contract, family).error().code == ErrorCode::kInvalidArgument);
  }
}

TEST_CASE("Words of the closed sets read back, others are refused") {
  for (Objective objective : {Objective::kAccuracy, Objective::kLatency, Objective::kEnergy}) {
    CHECK(*parse_objective(to_string(objective)) == objective);
  }
  for (WhenLate when_late : {WhenLate::kDeliver, WhenLate::kDrop}) {
    CHECK(*parse_when_late(to_string(when_late)) == when_late);
  }
  CHECK(parse_objective("speed").error().code == ErrorCode::kInvalidArgument);
  CHECK(parse_when_late("").error().code == ErrorCode::kInvalidArgument);
}
