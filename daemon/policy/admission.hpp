// SPDX-License-Identifier: Apache-2.0
// Whether a contract can be kept beside those already admitted, and if not, the nearest one that could. Pure;
// runs when a session opens or changes its contract. DESIGN §6, "Admission".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/policy/contract.hpp"
#include "daemon/policy/planner.hpp"
#include "daemon/policy/profile.hpp"
#include "daemon/policy/slowdown.hpp"

namespace dofa::policy {

/// The lane's processor, by index; lanes of one processor are alike.
struct LaneSpec {
  std::uint32_t processor = 0;
  bool usable = true;
};

/// A session as admission sees it: a contract and what it runs on.
struct Applicant {
  Contract contract;
  const FamilyProfile* family = nullptr;
  std::optional<std::uint32_t> processor;  ///< index of the contract's fixed processor
  std::optional<std::uint32_t> lane;       ///< where it must stay; absent: anywhere
  double prepare_us = 0;
  double period_us = 0;  ///< from the contract; 0: none stated
};

/// The levels a contract accepts: its fixed level, or from the lowest that keeps min-accuracy to the top.
/// Under objective "latency" only the fastest of these; under "energy" up to the one with the least energy on
/// `processor`.
struct LevelRange {
  std::uint32_t floor = 0;
  std::uint32_t top = 0;
};
LevelRange acceptable_levels(const Contract& contract, const FamilyProfile& family, std::uint32_t processor);

/// The planner's view of an applicant on a processor.
PlannedSession planned(const Applicant& applicant, std::uint32_t processor);

/// A lane for everybody, each at its cheapest acceptable point, so that all contracts are kept; empty if
/// there is none. `slowdowns` is indexed by processor. Exact for small cases (up to 20 000 placements tried).
std::optional<std::vector<std::uint32_t>> admit(std::span<const Applicant> applicants,
                                                std::span<const LaneSpec> lanes,
                                                std::span<const SlowdownFilter> slowdowns, double capacity);

/// The contract nearest to that of the last applicant that would be admitted beside the others, by relaxing
/// one of latency-budget-us, min-accuracy and period-us, or accuracy and budget together; empty if none
/// would.
std::optional<Contract> nearest_contract(std::span<const Applicant> applicants,
                                         std::span<const LaneSpec> lanes,
                                         std::span<const SlowdownFilter> slowdowns, double capacity);

/// The keys in which `nearest` differs from `asked`, as one line for a person.
std::string describe_difference(const Contract& asked, const Contract& nearest);

}  // namespace dofa::policy
