// SPDX-License-Identifier: Apache-2.0
// A family as the runtime keeps it: resident, with one runner a lane and its profile on this machine's
// processors. A runner is used only by its own lane's thread; profiles are replaced whole. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "daemon/engine/family.hpp"
#include "daemon/policy/profile.hpp"

namespace dofa::control {

/// What a family's levels cost on one processor.
struct MeasuredLevels {
  using Batches = std::array<double, policy::kBatchSizes.size()>;
  std::vector<double> time_us;    ///< by level; empty = it does not run there
  std::vector<Batches> batch_us;  ///< by level; empty = no batches
  bool provisional = true;        ///< until it was measured on a quiet processor
};

/// The policy's view of a family of which `measured` is known, by processor.
policy::FamilyProfile make_profile(const engine::Family& family, std::span<const MeasuredLevels> measured);

class LoadedFamily {
 public:
  LoadedFamily(std::string name_in, std::shared_ptr<const engine::Family> family_in,
               std::vector<std::string> processors_in = {"cpu"})
      : name(std::move(name_in)),
        family(std::move(family_in)),
        processors(std::move(processors_in)),
        measured_(processors.size()) {}

  const std::string name;
  const std::shared_ptr<const engine::Family> family;
  const std::vector<std::string> processors;  ///< names, by index
  /// By lane. The CPU's are made before the family is shared; a GPU's belongs to its lane's thread
  /// altogether, and is null where the family does not run there or the GPU is lost.
  std::vector<std::unique_ptr<engine::Runner>> runners;
  enum class Refusal : std::uint8_t { kNone, kForNow, kForGood };
  /// By processor: it was tried there and did not run. Of that processor's lane.
  std::array<Refusal, policy::kMaxProcessors> refused{};
  std::array<std::atomic<bool>, policy::kMaxProcessors>
      refining{};  ///< by processor: measurements are under way

  [[nodiscard]] std::shared_ptr<const policy::FamilyProfile> profile() const;
  [[nodiscard]] MeasuredLevels measured(std::uint32_t processor) const;
  void set_measured(std::uint32_t processor, MeasuredLevels levels);
  /// All of it is provisional from now on, and in use all the same: it will be measured anew.
  void doubt_measured();
  [[nodiscard]] bool runs_on(std::uint32_t processor) const;
  /// True until the profile was taken on a quiet processor, and while it is to be taken again.
  [[nodiscard]] bool provisional(std::uint32_t processor = 0) const;

 private:
  mutable std::mutex mutex_;
  std::vector<MeasuredLevels> measured_;  ///< by processor
  std::shared_ptr<const policy::FamilyProfile> profile_;
};

}  // namespace dofa::control
