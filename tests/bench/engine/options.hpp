// SPDX-License-Identifier: Apache-2.0
// What the engine's topics are asked to do, and the few statistics that they share.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "tests/bench/topic.hpp"

namespace dofa::bench {

struct EngineOptions {
  bool json = false;
  bool layers = false;
  bool on_request = false;  ///< answer lines on standard input (peers.py)
  bool half_head = false;   ///< the layers behind the global pool in half precision
  int threads = 1;
  int rounds = 20;
  std::string target;        ///< cap of the SIMD target
  std::string nets;          ///< only those whose name contains this
  std::string plot;          ///< headline: file for its picture
  std::string write_family;  ///< folder to write the nets of one width to, instead of measuring
};

/// kInvalidArgument names the argument.
Result<EngineOptions> parse_engine_options(const Arguments& arguments);

inline double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

/// The q-quantile of `values`, which are not empty.
inline double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

}  // namespace dofa::bench
