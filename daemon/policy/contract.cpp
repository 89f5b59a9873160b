// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/contract.hpp"

#include <cmath>
#include <cstdio>

namespace dofa::policy {
namespace {

Error invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

Result<void> check_time(std::string_view key, std::optional<std::int64_t> value_us) {
  if (!value_us || (*value_us >= kMinContractTimeUs && *value_us <= kMaxContractTimeUs)) return {};
  return invalid(std::string(key) + " must be within " + std::to_string(kMinContractTimeUs) + ".." +
                 std::to_string(kMaxContractTimeUs) + ", got " + std::to_string(*value_us));
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

}  // namespace

Result<void> validate(const Contract& contract) {
  if (auto budget = check_time("latency-budget-us", contract.latency_budget_us); !budget) return budget;
  if (auto period = check_time("period-us", contract.period_us); !period) return period;
  // Written so that NaN fails: every comparison with it is false.
  if (!(contract.min_accuracy >= 0.0 && contract.min_accuracy <= 1.0)) {
    return invalid("min-accuracy must be within 0..1, got " + number(contract.min_accuracy));
  }
  if (!(contract.percentile > 0.0 && contract.percentile < 1.0)) {
    return invalid("percentile must be above 0 and below 1, got " + number(contract.percentile));
  }
  if (contract.priority < 1 || contract.priority > kMaxPriority) {
    return invalid("priority must be within 1.." + std::to_string(kMaxPriority) + ", got " +
                   std::to_string(contract.priority));
  }
  if (contract.processor && contract.processor->empty()) return invalid("processor must not be empty");
  return {};
}

Result<void> validate(const Contract& contract, const FamilyFacts& family) {
  if (auto values = validate(contract); !values) return values;
  if (contract.level && *contract.level >= family.levels) {
    return invalid("level must be below " + std::to_string(family.levels) + ", got " +
                   std::to_string(*contract.level));
  }
  if (contract.min_accuracy > 0.0 && !family.accuracy_measured) {
    return Error{ErrorCode::kNotSupported, "min-accuracy: nobody measured this family's accuracy"};
  }
  if (contract.min_accuracy > 0.0 && contract.min_accuracy > family.best_accuracy) {
    return Error{ErrorCode::kUnsatisfiable, "min-accuracy " + number(contract.min_accuracy) +
                                                " is above the family's best, " +
                                                number(family.best_accuracy)};
  }
  if (contract.objective == Objective::kEnergy && !family.energy_measured) {
    return Error{ErrorCode::kNotSupported, "objective energy: no energy was measured on this machine"};
  }
  return {};
}

std::string_view to_string(Objective objective) {
  switch (objective) {
    case Objective::kAccuracy:
      return "accuracy";
    case Objective::kLatency:
      return "latency";
    case Objective::kEnergy:
      return "energy";
  }
  return "unknown";
}

std::string_view to_string(WhenLate when_late) {
  return when_late == WhenLate::kDrop ? "drop" : "deliver";
}

Result<Objective> parse_objective(std::string_view word) {
  for (Objective objective : {Objective::kAccuracy, Objective::kLatency, Objective::kEnergy}) {
    if (word == to_string(objective)) return objective;
  }
  return invalid("objective must be accuracy, latency or energy, got '" + std::string(word) + "'");
}

Result<WhenLate> parse_when_late(std::string_view word) {
  for (WhenLate when_late : {WhenLate::kDeliver, WhenLate::kDrop}) {
    if (word == to_string(when_late)) return when_late;
  }
  return invalid("when-late must be deliver or drop, got '" + std::string(word) + "'");
}

}  // namespace dofa::policy
