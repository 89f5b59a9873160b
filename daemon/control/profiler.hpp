// SPDX-License-Identifier: Apache-2.0
// Measures what a family's levels cost on this machine and keeps the figures between starts. Loading takes a quick,
// provisional look; the real one is taken between frames, a level at a time, while the machine is quiet. measure() belongs
// to the thread that owns the runner; the rest is stateless.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/control/loaded_family.hpp"

namespace dofa::control {

struct Timing {
  double least_us = 0;
  double median_us = 0;
};

/// Inference time of `level` over `rounds` runs of whatever input the runner holds.
Result<Timing> measure(engine::Runner& runner, std::uint32_t level, int rounds);

/// The policy's view of a family whose levels take `latency_us` on the CPU.
policy::FamilyProfile make_profile(const engine::Family& family, const std::vector<double>& latency_us);

/// Where profiles are kept and for which machine.
struct ProfileKeeper {
  std::string directory;    ///< empty = nowhere
  std::string fingerprint;  ///< of machine, lanes and version

  /// The kept latencies, by level; nothing where there are none, or of another machine, version or description.
  [[nodiscard]] std::optional<std::vector<double>> find(const engine::Family& family) const;
  Result<void> keep(const engine::Family& family, const std::vector<double>& latency_us) const;
  [[nodiscard]] std::string path_of(const engine::Family& family) const;

 private:
  [[nodiscard]] std::string fingerprint_of(const engine::Family& family) const;
};

/// CPU model (from `root`/proc/cpuinfo), cores, lanes and version in one word.
std::string machine_fingerprint(const std::string& root, std::uint32_t lanes, const std::string& version);

}  // namespace dofa::control
