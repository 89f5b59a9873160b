// SPDX-License-Identifier: Apache-2.0
// What an application asks of us, as plain values, and the rules for what may be asked. The bus room
// translates D-Bus keys into this struct; the names in messages are the D-Bus keys. Values only: thread-safe,
// owns its strings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base.hpp"

namespace dofa::policy {

/// What to maximise among the operating points that keep the contract.
enum class Objective : std::uint8_t {
  kAccuracy,  ///< the most accurate point that keeps the budget
  kLatency,   ///< the fastest point that keeps min-accuracy
  kEnergy,    ///< the point with the least energy a frame; needs profiles with energy in them
};

/// What becomes of a frame that can no longer be on time.
enum class WhenLate : std::uint8_t {
  kDeliver,  ///< answered late, once nothing that can still be on time waits
  kDrop,     ///< answered at once with MissedDeadline
};

/// Budgets and periods outside these are a mistake of units, not a contract.
inline constexpr std::int64_t kMinContractTimeUs = 100;
inline constexpr std::int64_t kMaxContractTimeUs = 60'000'000;
inline constexpr std::uint32_t kMaxPriority = 100;

/// A session's contract. The defaults are those of an application that states nothing.
struct Contract {
  std::optional<std::int64_t> latency_budget_us;  ///< deadline = submit time + this; absent: no deadline
  double min_accuracy = 0.0;                      ///< top-1 in [0, 1]; 0: no floor
  std::optional<std::int64_t> period_us;          ///< time between frames; absent: they come when they come
  Objective objective = Objective::kAccuracy;
  double percentile = 0.95;    ///< share of frames that must keep the budget, in (0, 1)
  std::uint32_t priority = 1;  ///< weight against other sessions, 1..kMaxPriority
  WhenLate when_late = WhenLate::kDeliver;
  std::optional<std::uint32_t> level;    ///< fixed by hand: overrides the planner and the dispatcher
  std::optional<std::string> processor;  ///< fixed by hand: "cpu", "cuda:0"

  friend bool operator==(const Contract&, const Contract&) = default;
};

/// What validation has to know of the family a contract is meant for.
struct FamilyFacts {
  std::uint32_t levels = 0;
  bool accuracy_measured = false;  ///< somebody measured every level's accuracy
  double best_accuracy = 0.0;      ///< of the top level; meaningless unless accuracy_measured
  bool energy_measured = false;    ///< every level's profile has its energy on some processor
};

/// Checks the values alone. kInvalidArgument names the key and the range.
Result<void> validate(const Contract& contract);

/// Checks the values and what they ask of this family: kInvalidArgument for a level that is not there,
/// kUnsatisfiable for an accuracy no level has, kNotSupported for what nobody measured (accuracy, energy).
Result<void> validate(const Contract& contract, const FamilyFacts& family);

/// The D-Bus words of the two closed sets; parsing an unknown word is kInvalidArgument.
std::string_view to_string(Objective objective);
std::string_view to_string(WhenLate when_late);
Result<Objective> parse_objective(std::string_view word);
Result<WhenLate> parse_when_late(std::string_view word);

}  // namespace dofa::policy
