// SPDX-License-Identifier: Apache-2.0
// Measures what a family's levels cost on this machine and keeps the figures between starts. Loading takes a
// quick, provisional look; the real one is taken between frames, a level at a time, while the machine is
// quiet. measure() belongs to the thread that owns the runner; the rest is stateless.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/control/loaded_family.hpp"
#include "daemon/engine/gpus.hpp"

namespace dofa::control {

struct Timing {
  double least_us = 0;
  double median_us = 0;
};

/// Inference time of `level` over `rounds` runs of whatever input the runner holds, `count` frames at once.
Result<Timing> measure(engine::Runner& runner, std::uint32_t level, int rounds, std::uint32_t count = 1);

/// Enough for a first idea of a processor, batches included; the real measurement waits for a quiet moment.
Result<MeasuredLevels> quick_look(engine::Runner& runner, std::uint32_t levels);

/// Where profiles are kept and for which machine.
struct ProfileKeeper {
  std::string directory;    ///< empty = nowhere
  std::string fingerprint;  ///< of machine, lanes and version

  /// What is kept of one processor; nothing where there is none, or of another machine, version or
  /// description.
  [[nodiscard]] std::optional<MeasuredLevels> find(const engine::Family& family,
                                                   const std::string& processor) const;
  /// All processors of a family at once; provisional figures are not worth keeping.
  Result<void> keep(const LoadedFamily& family) const;
  [[nodiscard]] std::string path_of(const engine::Family& family) const;

 private:
  [[nodiscard]] std::string fingerprint_of(const engine::Family& family) const;
};

/// CPU model (from `root`/proc/cpuinfo), cores, lanes, version, and models, drivers and precision of the
/// GPUs, in one word.
std::string machine_fingerprint(const std::string& root, std::uint32_t lanes, const std::string& version,
                                const std::vector<engine::Gpu>& gpus = {},
                                const std::string& gpu_precision = "half");

}  // namespace dofa::control
