// SPDX-License-Identifier: Apache-2.0
// Takes the real profiles: a level at a time, between frames, on the processor's first lane while nobody else
// wants that processor. tick() belongs to the control loop; the rest runs on the lanes. Borrows everything it
// is given.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "daemon/control/family_store.hpp"
#include "daemon/control/processors.hpp"
#include "daemon/control/scheduler.hpp"
#include "daemon/control/watcher.hpp"

namespace dofa::control {

class Refiner {
 public:
  /// `profiled` is told on a lane's thread of each family whose profile has changed.
  Refiner(const Processors& processors, Scheduler& scheduler, FamilyStore& families, const Watcher& watcher,
          const ProfileKeeper& keeper, std::function<void(const std::shared_ptr<LoadedFamily>&)> profiled);

  void tick(std::int64_t now);

 private:
  /// Runs that were timed, by level and then by batch size, one frame first.
  using Samples = std::vector<std::vector<double>>;
  void refine(const std::shared_ptr<LoadedFamily>& family, std::uint32_t processor);
  void finish(const std::shared_ptr<LoadedFamily>& family, std::uint32_t processor, const Samples& samples);

  const Processors& processors_;
  Scheduler& scheduler_;
  FamilyStore& families_;
  const Watcher& watcher_;
  const ProfileKeeper& keeper_;
  const std::function<void(const std::shared_ptr<LoadedFamily>&)> profiled_;
  std::vector<std::int64_t> refined_us_;  ///< by processor
  std::mutex keeping_;                    ///< one file for all processors
};

}  // namespace dofa::control
