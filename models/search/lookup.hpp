// SPDX-License-Identifier: Apache-2.0
// A cost that adds up over layers (latency from a table, multiply-accumulates), worked out once for every
// block a space can hold, so that the cost of a sub-network is twenty additions. Immutable once made;
// thread-safe.
#pragma once

#include <functional>
#include <vector>

#include "models/search/outline.hpp"
#include "models/search/space.hpp"

namespace dofa::search {

/// One elastic block at the place where it runs.
struct BlockUse {
  const BlockOutline& block;
  std::uint32_t side = 0;  ///< of what it reads
  std::uint32_t kernel = 0;
  std::uint32_t ratio = 0;
};

class Lookup {
 public:
  using FixedCost = std::function<Result<double>(std::uint32_t resolution)>;
  using BlockCost = std::function<Result<double>(std::uint32_t resolution, const BlockUse& use)>;

  /// Asks for every cost there is in `space`; the first error ends it.
  static Result<Lookup> make(const Outline& outline, const Space& space, const FixedCost& fixed,
                             const BlockCost& block);
  /// In multiply-accumulates.
  static Lookup macs(const Outline& outline, const Space& space);

  [[nodiscard]] double cost(const Genome& genome) const;

 private:
  [[nodiscard]] std::size_t at(std::size_t resolution, std::size_t block, std::size_t kernel,
                               std::size_t ratio) const {
    return ((resolution * kBlocks + block) * kernels_ + kernel) * ratios_ + ratio;
  }

  std::size_t kernels_ = 0;
  std::size_t ratios_ = 0;
  std::vector<std::uint8_t> depths_;
  std::vector<double> fixed_;   ///< by resolution
  std::vector<double> blocks_;  ///< by resolution, block, kernel, ratio
};

}  // namespace dofa::search
