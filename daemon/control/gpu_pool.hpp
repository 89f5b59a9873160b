// SPDX-License-Identifier: Apache-2.0
// GPUs as processors beside the CPU: gives resident families runners there, takes a GPU out of the pool when
// it is lost or out of memory, and tries it again later. Everything that touches a GPU happens on its lane's
// own thread: runners are made, used and destroyed there. Thread-safe; borrows its environment, which
// outlives it and its lanes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "daemon/control/family_store.hpp"
#include "daemon/control/processor_health.hpp"
#include "daemon/control/processors.hpp"
#include "daemon/control/scheduler.hpp"

namespace dofa::control {

class GpuPool {
 public:
  /// `profiled` is told on the lane's thread of each family whose profile has changed.
  GpuPool(const Processors& processors, Scheduler& scheduler, FamilyStore& families,
          const ProfileKeeper& keeper, std::function<void(const std::shared_ptr<LoadedFamily>&)> profiled);

  /// Makes runners for the resident families that have none yet, on every GPU that is there: between two
  /// frames of its lane, however busy. Waits for it (a minute at most), as a family that has just loaded is
  /// about to be used.
  void attach_families();
  /// Lets go of a family that is no longer resident and has no sessions.
  void detach(const std::shared_ptr<LoadedFamily>& family);
  /// A runner's error says that the lane's GPU is gone: its sessions and frames go elsewhere, those `at_hand`
  /// included; frames that nobody else can take are ended with an error. On the lane's thread.
  void lost(std::uint32_t processor, const Error& error, std::span<Frame* const> at_hand);
  /// Destroys the runners on a processor; what families cost there is known still. On the lane's thread.
  void withdraw(std::uint32_t processor) const;
  /// Starts the attempts that are due.
  void tick(std::int64_t now);

  /// Why a processor cannot be used now; empty where it can.
  [[nodiscard]] std::string lost_reason(std::uint32_t processor) const;

 private:
  struct Fresh;
  /// Both on the lane's thread. bring_up() changes nothing unless all went well; false: `fault` says what did
  /// not.
  bool bring_up(std::uint32_t processor, Error& fault);
  Result<Fresh> make(const std::shared_ptr<LoadedFamily>& family, std::uint32_t processor) const;
  void attach(std::uint32_t processor);
  void retry(std::uint32_t processor);
  void forgive(std::uint32_t processor) const;
  const Processors& processors_;
  Scheduler& scheduler_;
  FamilyStore& families_;
  const ProfileKeeper& keeper_;
  const std::function<void(const std::shared_ptr<LoadedFamily>&)> profiled_;
  mutable std::mutex mutex_;
  std::vector<ProcessorHealth> health_;  ///< by processor
};

}  // namespace dofa::control
