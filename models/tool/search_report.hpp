// SPDX-License-Identifier: Apache-2.0
// What `dofa-model search` tells of its result. Pure but for writing the picture.
#pragma once

#include <string>
#include <vector>

#include "models/tool/search_steps.hpp"

namespace dofa::tool {

struct SearchReport {
  SearchOutcome outcome;
  std::vector<Level> levels;  ///< chosen, by rising cost
  std::vector<Level> family;  ///< of the family that the search started from, if it has levels
  std::string cost;           ///< "latency" or "macs"
  std::string table;
  std::string written;             ///< folder; empty = nothing was written
  std::optional<search::Fit> fit;  ///< where the predictor was fitted here

  /// Worse than all of the search's and the family's points, by a tenth of the cost and a point of top-1.
  [[nodiscard]] search::Point reference() const;
};

std::string search_json(const SearchReport& report);
std::string search_text(const SearchReport& report);
Result<void> write_plot(const SearchReport& report, const std::string& path);

}  // namespace dofa::tool
