// SPDX-License-Identifier: Apache-2.0
// Which processors run frames, and which lanes are whose: the CPU with its lanes first, then each GPU with
// one. Fixed for the life of the service; values only, thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/engine/gpus.hpp"
#include "daemon/policy/policy.hpp"

namespace dofa::control {

inline constexpr std::uint32_t kCpu = 0;  ///< index of the processor

struct Processor {
  std::string name;  ///< "cpu", "cuda:0"
  std::uint32_t first_lane = 0;
  std::uint32_t lanes = 1;
  std::optional<engine::Gpu> gpu;  ///< absent: the CPU
};

class Processors {
 public:
  /// GPUs beyond what the policy can count are left out.
  Processors(std::uint32_t cpu_lanes, const std::vector<engine::Gpu>& gpus) {
    all_.push_back({"cpu", 0, cpu_lanes, std::nullopt});
    for (const engine::Gpu& gpu : gpus) {
      if (all_.size() < policy::kMaxProcessors) all_.push_back({gpu.processor, lane_count(), 1, gpu});
    }
  }

  [[nodiscard]] const std::vector<Processor>& all() const { return all_; }
  [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(all_.size()); }
  const Processor& operator[](std::uint32_t index) const { return all_[index]; }
  [[nodiscard]] std::uint32_t lane_count() const { return all_.back().first_lane + all_.back().lanes; }
  [[nodiscard]] std::uint32_t of_lane(std::uint32_t lane) const {
    std::uint32_t index = 0;
    while (lane >= all_[index].first_lane + all_[index].lanes) ++index;
    return index;
  }
  [[nodiscard]] std::vector<policy::ProcessorSpec> specs() const {
    std::vector<policy::ProcessorSpec> specs;
    for (const Processor& one : all_) specs.push_back({one.name, one.lanes});
    return specs;
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const Processor& one : all_) names.push_back(one.name);
    return names;
  }

 private:
  std::vector<Processor> all_;
};

}  // namespace dofa::control
