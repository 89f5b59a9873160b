// SPDX-License-Identifier: Apache-2.0
// What dofad tells Prometheus, in its text format (version 0.0.4): pure over plain numbers. Names begin with
// dofad_, base units are in them (seconds, hertz, bytes, ratio). Values only, thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "daemon/control/runtime.hpp"

namespace dofa::metrics {

/// One session at the moment of a scrape.
struct SessionReading {
  std::uint64_t id = 0;
  std::string application;
  std::string family;
  std::uint32_t level = 0;
  std::int64_t expected_latency_us = 0;  ///< 0 = not known yet
  policy::Contract contract;
  std::uint64_t frames = 0;
  std::uint64_t missed = 0;
  std::uint64_t dropped = 0;
  std::uint64_t dips = 0;
  std::uint64_t switches = 0;
  double attainment = 1.0;
  double queue_p95_us = 0;
  double service_p95_us = 0;
};

struct LevelReading {
  std::string name;
  std::uint32_t level = 0;
  double accuracy = 0;                                     ///< top-1; NaN where nobody measured
  std::vector<std::pair<std::string, double>> latency_us;  ///< by processor where it runs, as profiled
};

struct FamilyReading {
  std::string name;
  std::uint64_t resident_bytes = 0;
  std::vector<std::pair<std::string, bool>> provisional;  ///< by processor where it runs
  std::vector<LevelReading> levels;
};

struct Reading {
  std::string version;
  control::FrameTotals totals;
  std::vector<control::ProcessorStatus> processors;
  std::vector<FamilyReading> families;
  std::vector<SessionReading> sessions;
};

/// Asks the runtime; takes its locks for microseconds, one after the other, and none while formatting.
Reading gather(const control::Runtime& runtime, const std::string& version);
std::string to_text(const Reading& reading);

}  // namespace dofa::metrics
