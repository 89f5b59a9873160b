// SPDX-License-Identifier: Apache-2.0
// The families that are resident. Loading is slow and runs on the caller's thread without holding the lock:
// look-ups go on meanwhile. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/config/service.hpp"
#include "daemon/control/loaded_family.hpp"
#include "daemon/control/processors.hpp"
#include "daemon/control/profiler.hpp"

namespace dofa::control {

/// Dry-runs the family in `directory` where an endless loop or a crash in it cannot hurt; called for
/// TorchScript only.
using Verifier = std::function<Result<void>(const std::string& directory)>;

class FamilyStore {
 public:
  FamilyStore(config::FamilyOptions options, const engine::LoadOptions& engine, std::uint32_t limit,
              const Processors& processors, Verifier verifier, ProfileKeeper keeper);

  /// Errors: kInvalidArgument, kNotFound, kInvalidFamily, kAlreadyExists, kResourceExhausted
  /// (limits.families).
  Result<std::shared_ptr<const LoadedFamily>> load(const std::string& directory);
  /// Makes a family that is in memory already resident: runners for every CPU lane, under its description's
  /// name. GPUs follow (GpuPool). Errors: kAlreadyExists, kResourceExhausted, and whatever making a runner
  /// gives.
  Result<std::shared_ptr<const LoadedFamily>> adopt(std::shared_ptr<const engine::Family> family);
  [[nodiscard]] std::shared_ptr<LoadedFamily> find(const std::string& name) const;
  [[nodiscard]] std::vector<std::shared_ptr<LoadedFamily>> all() const;
  /// Forgets it; memory is freed once the last session and frame let go. False where there is none.
  bool remove(const std::string& name);

  void configure(config::FamilyOptions options, std::uint32_t limit);

 private:
  Result<void> check_room(const std::string& name) const;  ///< with the lock held

  mutable std::mutex mutex_;
  config::FamilyOptions options_;
  const engine::LoadOptions engine_;
  std::uint32_t limit_;
  const Processors& processors_;
  const Verifier verifier_;
  const ProfileKeeper keeper_;
  std::vector<std::shared_ptr<LoadedFamily>> families_;
};

}  // namespace dofa::control
