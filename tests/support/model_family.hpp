// SPDX-License-Identifier: Apache-2.0
// A model as a Family, as far as a runner on a GPU asks its family: names, resolutions, preprocessing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "daemon/engine/family.hpp"
#include "daemon/engine/ofa_model.hpp"

namespace dofa::test {

class ModelFamily final : public engine::Family {
 public:
  explicit ModelFamily(const engine::OfaModel& model) {
    description_.name = "model";
    description_.classes = model.supernet.classes;
    for (const engine::OfaLevel& level : model.levels)
      levels_.push_back({"level-" + std::to_string(levels_.size()), level.resolution, {}, 0, "cuda"});
  }
  const config::FamilyFile& description() const override { return description_; }
  const std::vector<engine::LevelInfo>& levels() const override { return levels_; }
  const std::vector<std::string>& labels() const override { return labels_; }
  std::uint64_t resident_bytes() const override { return 0; }
  Result<std::unique_ptr<engine::Runner>> make_runner(std::shared_ptr<const engine::Family>) const override {
    return Error{ErrorCode::kNotSupported, "not asked for"};
  }

 private:
  config::FamilyFile description_;
  std::vector<engine::LevelInfo> levels_;
  std::vector<std::string> labels_;
};

}  // namespace dofa::test
