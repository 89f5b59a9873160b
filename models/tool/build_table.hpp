// SPDX-License-Identifier: Apache-2.0
// Making a latency table of this machine, one resolution at a time, so that a run that was cut short goes on
// where it stopped. Single-threaded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/tool/measure.hpp"

namespace dofa::tool {

/// A network that the correction was not fitted on.
struct UnseenNetwork {
  search::Candidate candidate;
  double predicted_us = 0;
  double measured_us = 0;
};

struct BuiltTable {
  search::LatencyTable table;
  std::vector<std::uint32_t> measured;  ///< resolutions that were not in the file yet
  std::vector<UnseenNetwork> unseen;    ///< empty where the file's correction was kept
};

struct TableSettings {
  std::size_t rounds = 20;
  std::size_t networks = 20;  ///< that the correction is fitted on, and as many others that it is judged by
  std::uint64_t seed = 1;
};

/// Measures what `path` lacks of the space and fits the correction anew where anything was lacking; the file
/// is written after each resolution. A file of another machine or network is refused (kAlreadyExists).
/// Progress goes to stderr.
Result<BuiltTable> build_table(Measurer& measurer, const search::Space& space, const std::string& path,
                               const TableSettings& settings);

}  // namespace dofa::tool
