// SPDX-License-Identifier: Apache-2.0
// Sub-networks measured on this machine through the engine's own kernels, one thread. Batch statistics need
// not be there: time does not depend on them, so made-up ones that keep signals in range stand in. Rounds are
// interleaved, so that drift meets all networks alike. All times are the measuring thread's own, in which
// being preempted does not count: that is load, and dofad reckons with it by itself. Single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/engine/supernet.hpp"
#include "models/search/table_fit.hpp"

namespace dofa::tool {

struct NetworkTime {
  double least_us = 0;  ///< what the machine can do undisturbed
  double median_us = 0;
};

class Measurer {
 public:
  /// Keeps the supernet.
  explicit Measurer(engine::Supernet supernet);
  ~Measurer();
  Measurer(const Measurer&) = delete;
  Measurer& operator=(const Measurer&) = delete;

  [[nodiscard]] const engine::Supernet& supernet() const;

  /// Called after each round.
  using OnRound = std::function<void()>;

  /// Runs every network once a round, after one round to warm up. kNotSupported where the kernels lack
  /// something.
  Result<std::vector<NetworkTime>> networks(std::span<const search::Candidate> candidates, std::size_t rounds,
                                            const OnRound& on_round = {});

  /// Times of every layer that sub-networks of `space` can have at `resolution`, taken while they run within
  /// search::covering_networks, so that caches are as they will be. A layer that the kernels fuse with the
  /// one before it gets 0.
  Result<std::map<std::string, search::LayerTime>> layers(const search::Space& space,
                                                          std::uint32_t resolution, std::size_t rounds,
                                                          const OnRound& on_round = {});

 private:
  struct Model;
  Result<void> load(std::span<const search::Candidate> candidates);
  std::unique_ptr<Model> model_;
};

/// The processor's name and the instruction set in use: tells whether a table is this machine's.
std::string machine_name();

}  // namespace dofa::tool
