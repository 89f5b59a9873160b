// SPDX-License-Identifier: Apache-2.0
// What a supernet offers, and the sub-networks a training step draws from it. Drawing depends on nothing but
// the seed and the step, so that an interrupted run goes on with the same ones. Pure functions over plain
// structs.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "daemon/config/family.hpp"

namespace dofa::train {

/// The choices of a Once-for-all MobileNetV3 (Cai et al., ICLR 2020), all rising.
struct Space {
  double width = 0.5;  ///< multiplies all channel counts
  std::uint32_t classes = 10;
  std::vector<std::uint8_t> kernel_sizes{3, 5};        ///< of 3, 5, 7, from 3 up to the largest
  std::vector<std::uint8_t> expand_ratios{3, 4, 6};    ///< of 3, 4, 6
  std::uint8_t max_depth = 4;                          ///< blocks of a stage: 2 to this
  std::vector<std::uint32_t> resolutions{24, 28, 32};  ///< sides of the input
  std::uint32_t stem_stride = 1;
  std::array<std::uint8_t, 5> stage_strides{2, 2, 2, 1, 1};
  bool operator==(const Space&) const = default;
};

/// A sub-network and the input size it is to have.
struct Candidate {
  config::OfaArchitecture architecture;
  std::uint32_t resolution = 0;
  bool operator==(const Candidate&) const = default;
};

config::OfaArchitecture largest(const Space& space);
config::OfaArchitecture smallest(const Space& space);
/// Every entry uniformly and independently; `draw` tells the sub-networks of one step apart.
config::OfaArchitecture random_architecture(const Space& space, std::uint64_t seed, std::uint64_t step,
                                            std::uint64_t draw);
/// One of the `offered` smallest, for all sub-networks of a step.
std::uint32_t random_resolution(const Space& space, std::size_t offered, std::uint64_t seed,
                                std::uint64_t step);

/// Well-mixed bits of three numbers (splitmix64, Steele et al., OOPSLA 2014): the same on every machine.
std::uint64_t mix(std::uint64_t a, std::uint64_t b, std::uint64_t c);

}  // namespace dofa::train
