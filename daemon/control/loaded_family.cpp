// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/loaded_family.hpp"

#include <utility>

namespace dofa::control {

policy::FamilyProfile make_profile(const engine::Family& family, std::span<const MeasuredLevels> measured) {
  policy::FamilyProfile profile;
  profile.accuracy_measured = true;
  for (std::size_t i = 0; i < family.levels().size(); ++i) {
    policy::LevelProfile level;
    const auto& accuracy = family.levels()[i].accuracy;
    profile.accuracy_measured &= accuracy.has_value();
    level.accuracy = accuracy ? accuracy->top1 : 0.0;
    for (std::size_t p = 0; p < measured.size(); ++p) {
      if (!measured[p].time_us.empty()) level.time_us[p] = measured[p].time_us[i];
      if (!measured[p].batch_us.empty()) level.batch_time_us[p] = measured[p].batch_us[i];
    }
    profile.levels.push_back(level);
  }
  policy::mark_dominated(profile);
  return profile;
}

std::shared_ptr<const policy::FamilyProfile> LoadedFamily::profile() const {
  const std::lock_guard lock(mutex_);
  return profile_;
}

MeasuredLevels LoadedFamily::measured(std::uint32_t processor) const {
  const std::lock_guard lock(mutex_);
  return measured_[processor];
}

void LoadedFamily::set_measured(std::uint32_t processor, MeasuredLevels levels) {
  const std::lock_guard lock(mutex_);
  measured_[processor] = std::move(levels);
  profile_ = std::make_shared<policy::FamilyProfile>(make_profile(*family, measured_));
}

void LoadedFamily::doubt_measured() {
  const std::lock_guard lock(mutex_);
  for (MeasuredLevels& levels : measured_) levels.provisional = true;
}

bool LoadedFamily::runs_on(std::uint32_t processor) const {
  const std::lock_guard lock(mutex_);
  return !measured_[processor].time_us.empty();
}

bool LoadedFamily::provisional(std::uint32_t processor) const {
  const std::lock_guard lock(mutex_);
  return measured_[processor].provisional;
}

}  // namespace dofa::control
