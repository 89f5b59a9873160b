// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/family_store.hpp"

#include <algorithm>

#include "daemon/control/family_files.hpp"

namespace dofa::control {

FamilyStore::FamilyStore(config::FamilyOptions options, const engine::LoadOptions& engine,
                         std::uint32_t limit, const Processors& processors, Verifier verifier,
                         ProfileKeeper keeper)
    : options_(std::move(options)),
      engine_(engine),
      limit_(limit),
      processors_(processors),
      verifier_(std::move(verifier)),
      keeper_(std::move(keeper)) {}

Result<void> FamilyStore::check_room(const std::string& name) const {
  if (std::any_of(families_.begin(), families_.end(),
                  [&](const auto& family) { return family->name == name; })) {
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
  auto family = engine::load_family(checked->directory, checked->description, engine_);
  if (!family) return family.error();
  return adopt(*family);
}

Result<std::shared_ptr<const LoadedFamily>> FamilyStore::adopt(std::shared_ptr<const engine::Family> family) {
  const std::string name = family->description().name;
  auto loaded = std::make_shared<LoadedFamily>(name, std::move(family), processors_.names());
  loaded->runners.resize(processors_.lane_count());
  for (std::uint32_t lane = 0; lane < processors_[kCpu].lanes; ++lane) {
    auto runner = loaded->family->make_runner(loaded->family);
    if (!runner) return runner.error();
    loaded->runners[lane] = std::move(*runner);
  }
  auto measured = keeper_.find(*loaded->family, processors_[kCpu].name);
  if (!measured) {
    auto looked =
        quick_look(*loaded->runners.front(), static_cast<std::uint32_t>(loaded->family->levels().size()));
    if (!looked) return looked.error();
    measured = std::move(*looked);
  }
  loaded->set_measured(kCpu, std::move(*measured));
  const std::lock_guard lock(mutex_);
  if (auto room = check_room(loaded->name); !room) return room.error();  // another load may have been faster
  families_.push_back(loaded);
  return std::shared_ptr<const LoadedFamily>(loaded);
}

std::shared_ptr<LoadedFamily> FamilyStore::find(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto at =
      std::find_if(families_.begin(), families_.end(), [&](const auto& f) { return f->name == name; });
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
