// SPDX-License-Identifier: Apache-2.0
// A family as the runtime keeps it: resident, with one runner a lane and its profile on this machine. A runner is used
// only by its own lane's thread; the profile is replaced whole. Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/engine/family.hpp"
#include "daemon/policy/profile.hpp"

namespace dofa::control {

class LoadedFamily {
 public:
  LoadedFamily(std::string name_in, std::shared_ptr<const engine::Family> family_in)
      : name(std::move(name_in)), family(std::move(family_in)) {}

  const std::string name;
  const std::shared_ptr<const engine::Family> family;
  std::vector<std::unique_ptr<engine::Runner>> runners;  ///< by lane; filled before it is shared

  std::atomic<bool> refining = false;                    ///< measurements are under way

  [[nodiscard]] std::shared_ptr<const policy::FamilyProfile> profile() const {
    const std::lock_guard lock(mutex_);
    return profile_;
  }
  /// True until the profile was taken on a quiet machine.
  [[nodiscard]] bool provisional() const {
    const std::lock_guard lock(mutex_);
    return provisional_;
  }
  void set_profile(std::shared_ptr<const policy::FamilyProfile> profile, bool provisional) {
    const std::lock_guard lock(mutex_);
    profile_ = std::move(profile);
    provisional_ = provisional;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const policy::FamilyProfile> profile_;
  bool provisional_ = true;
};

}  // namespace dofa::control
