// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/family_store.hpp"

#include <algorithm>

#include "daemon/control/family_files.hpp"

namespace dofa::control {

policy::FamilyFacts facts_of(const engine::Family& family) {
  policy::FamilyFacts facts;
  const auto& levels = family.levels();
  facts.levels = static_cast<std::uint32_t>(levels.size());
  facts.accuracy_measured = std::all_of(levels.begin(), levels.end(), [](const auto& l) { return l.accuracy.has_value(); });
  if (facts.accuracy_measured && !levels.empty()) facts.best_accuracy = levels.back().accuracy->top1;
  return facts;
}

FamilyStore::FamilyStore(config::FamilyOptions options, std::uint32_t limit, std::uint32_t lanes, Verifier verifier)
    : options_(std::move(options)), limit_(limit), lanes_(lanes), verifier_(std::move(verifier)) {}

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
  auto loaded = std::make_shared<LoadedFamily>();
  loaded->name = checked->description.name;
  loaded->family = *family;
  for (std::uint32_t lane = 0; lane < lanes_; ++lane) {
    auto runner = loaded->family->make_runner(loaded->family);
    if (!runner) return runner.error();
    loaded->runners.push_back(std::move(*runner));
  }
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

std::vector<std::shared_ptr<const LoadedFamily>> FamilyStore::all() const {
  const std::lock_guard lock(mutex_);
  return {families_.begin(), families_.end()};
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
