// SPDX-License-Identifier: Apache-2.0
// What a recorded session comes to in numbers. Pure functions.
#pragma once

#include <optional>

#include "client/recording/recording.hpp"

namespace dofa::recording {

struct Summary {
  std::uint64_t frames = 0;  ///< seen by the recorder
  std::uint64_t late = 0;
  std::uint64_t dropped = 0;
  std::uint64_t switches = 0;
  std::uint64_t unmet = 0;
  std::optional<double> attainment = {};     ///< share of frames in time
  std::optional<double> mean_accuracy = {};  ///< top-1 over the answered; absent where a level's is not known
  std::uint64_t latency_us_p50 = 0;          ///< of the answered; nearest rank
  std::uint64_t latency_us_p95 = 0;
  std::uint64_t latency_us_p99 = 0;
  std::map<std::uint32_t, std::uint64_t> frames_by_level = {};  ///< answered
};

Summary summarize(const Session& session, const std::vector<Level>& levels);

/// The q-quantile (0..1) by nearest rank of `sorted`; 0 where it is empty.
std::uint64_t quantile(const std::vector<std::uint64_t>& sorted, double q);

}  // namespace dofa::recording
