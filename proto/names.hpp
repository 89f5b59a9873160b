// SPDX-License-Identifier: Apache-2.0
// Names of the public contract that both sides spell: bus name, object paths, error names, contract keys. The
// daemon and the client include this and nothing of each other. Constants only.
#pragma once

#include <array>
#include <string_view>

namespace dofa::proto {

inline constexpr const char* kBusName = "org.dofa.Dofa1";
inline constexpr const char* kRootPath = "/org/dofa/Dofa1";
inline constexpr std::string_view kSessionPathPrefix = "/org/dofa/Dofa1/session/";
inline constexpr std::string_view kFamilyPathPrefix = "/org/dofa/Dofa1/family/";
inline constexpr std::string_view kErrorPrefix = "org.dofa.Dofa1.Error.";

/// Error names behind kErrorPrefix, in the order of dofa::ErrorCode (the bus room asserts the size).
inline constexpr std::array<std::string_view, 13> kErrorNames{
    "Failed",        "InvalidArgument",   "NotFound",      "AlreadyExists", "Busy",
    "NotReady",      "NotSupported",      "NotAuthorized", "Cancelled",     "MissedDeadline",
    "Unsatisfiable", "ResourceExhausted", "InvalidFamily"};

/// Keys of a contract, as documented in org.dofa.Dofa1.Session.xml.
namespace contract_key {
inline constexpr const char* kLatencyBudgetUs = "latency-budget-us";
inline constexpr const char* kMinAccuracy = "min-accuracy";
inline constexpr const char* kPeriodUs = "period-us";
inline constexpr const char* kObjective = "objective";
inline constexpr const char* kPercentile = "percentile";
inline constexpr const char* kPriority = "priority";
inline constexpr const char* kWhenLate = "when-late";
inline constexpr const char* kLevel = "level";
inline constexpr const char* kProcessor = "processor";
inline constexpr const char* kUnset = "unset";  ///< of changes only: a list of keys
}  // namespace contract_key

}  // namespace dofa::proto
