// SPDX-License-Identifier: Apache-2.0
// Batch statistics of several sub-networks from one pass over pictures. Single-threaded.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "daemon/base.hpp"
#include "daemon/config/family.hpp"
#include "daemon/engine/calibration.hpp"
#include "models/tool/pictures.hpp"

namespace dofa::tool {

/// A sub-network on its way to its statistics.
struct CalibrationJob {
  std::uint32_t resolution = 0;
  std::unique_ptr<engine::Calibration> calibration;
};

/// Decodes each picture once, in an order that mixes folders and is the same each time, and shows it to every
/// job, `batch` together. `label` heads the line of progress.
Result<void> show_pictures(const config::Preprocessing& preprocessing, Pictures& pictures, std::size_t batch,
                           std::span<const CalibrationJob> jobs, const std::string& label);

}  // namespace dofa::tool
