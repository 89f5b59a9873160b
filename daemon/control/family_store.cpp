// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/family_store.hpp"

#include <algorithm>

#include "daemon/control/family_files.hpp"

namespace dofa::control {

namespace {

/// Enough for a first idea; the real measurement waits for a quiet machine.
constexpr int kQuickRounds = 5;

/// The kept profile where there is one, else a quick look on the first lane's runner.
Result<void> take_profile(LoadedFamily& loaded, const ProfileKeeper& keeper) {
  auto latency_us = keeper.find(*loaded.family);
  const bool kept = latency_us.has_value();
  if (!kept) {
    latency_us.emplace();
    for (std::uint32_t level = 0; level < loaded.family->levels().size(); ++level) {
      const auto measured = measure(*loaded.runners.front(), level, kQuickRounds);
      if (!measured) return measured.error();
      latency_us->push_back(measured->least_us);  // load can only add: the least is nearest to a quiet machine
    }
  }
  loaded.set_profile(std::make_shared<policy::FamilyProfile>(make_profile(*loaded.family, *latency_us)), !kept);
  return {};
}

}  // namespace

FamilyStore::FamilyStore(config::FamilyOptions options, std::uint32_t limit, std::uint32_t lanes, Verifier verifier,
                         ProfileKeeper keeper)
    : options_(std::move(options)),
      limit_(limit),
      lanes_(lanes),
      verifier_(std::move(verifier)),
      keeper_(std::move(keeper)) {}

Result<void> FamilyStore::check_room(const std::string& name) const {
  if (std::any_of(families_.begin(), families_.end(), [&](const auto& family) { return family->name == name; })) {
    return Error{ErrorCode::kAlreadyExists, "a family '" + name + "' is loaded already"};
  }
  if (families_.size() >= limit_) {
    return Error{ErrorCode::kResourceExhausted,
                 "limits.families: " + std::to_string(limit_) + " families are loaded already"};
  }
  return {};
}

Result<std::shared_ptr<const LoadedFamily>> FamilyStore::load(const std::string& directory) {
  config::FamilyOptions options;
  {
    const std::lock_guard lock(mutex_);
    options = options_;
  }
  auto checked = check_family(options.roots, directory);
  if (!checked) return checked.error();
  {
    const std::lock_guard lock(mutex_);
    if (auto room = check_room(checked->description.name); !room) return room.error();
  }
  if (checked->description.kind == config::FamilyKind::kTorchScript && verifier_) {
    if (auto verified = verifier_(checked->directory); !verified) return verified.error();
  }
  auto family = engine::load_family(checked->directory, checked->description);
  if (!family) return family.error();
  return adopt(*family);
}

Result<std::shared_ptr<const LoadedFamily>> FamilyStore::adopt(std::shared_ptr<const engine::Family> family) {
  const std::string name = family->description().name;
  auto loaded = std::make_shared<LoadedFamily>(name, std::move(family));
  for (std::uint32_t lane = 0; lane < lanes_; ++lane) {
    auto runner = loaded->family->make_runner(loaded->family);
    if (!runner) return runner.error();
    loaded->runners.push_back(std::move(*runner));
  }
  if (auto profiled = take_profile(*loaded, keeper_); !profiled) return profiled.error();
  const std::lock_guard lock(mutex_);
  if (auto room = check_room(loaded->name); !room) return room.error();  // another load may have been faster
  families_.push_back(loaded);
  return std::shared_ptr<const LoadedFamily>(loaded);
}

std::shared_ptr<LoadedFamily> FamilyStore::find(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto at = std::find_if(families_.begin(), families_.end(), [&](const auto& f) { return f->name == name; });
  return at == families_.end() ? nullptr : *at;
}

std::vector<std::shared_ptr<LoadedFamily>> FamilyStore::all() const {
  const std::lock_guard lock(mutex_);
  return families_;
}

bool FamilyStore::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(families_, [&](const auto& family) { return family->name == name; }) > 0;
}

void FamilyStore::configure(config::FamilyOptions options, std::uint32_t limit) {
  const std::lock_guard lock(mutex_);
  options_ = std::move(options);
  limit_ = limit;
}

}  // namespace dofa::control
