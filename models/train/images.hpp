// SPDX-License-Identifier: Apache-2.0
// Labelled training images in memory, the order an epoch shows them in, and how each is varied on its way
// into a batch. Everything random depends on (seed, epoch, image) alone, so that an interrupted run goes on
// exactly. Plain values and pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/train/recipe.hpp"

namespace dofa::train {

/// Square RGB images of one size.
struct Images {
  std::uint32_t side = 0;
  std::vector<std::uint8_t> pixels;  ///< N x side x side x 3, R G B
  std::vector<std::uint32_t> labels;

  [[nodiscard]] std::size_t size() const { return labels.size(); }
  [[nodiscard]] std::span<const std::uint8_t> image(std::size_t index) const {
    const std::size_t bytes = std::size_t{side} * side * 3;
    return std::span(pixels).subspan(index * bytes, bytes);
  }
};

/// Mean and deviation of each channel, in 0..1.
void measure_colours(const Images& images, std::array<float, 3>& mean, std::array<float, 3>& deviation);

/// A permutation of 0..count-1.
std::vector<std::uint32_t> epoch_order(std::size_t count, std::uint64_t seed, std::uint64_t epoch);

/// (value / 255 - mean) / deviation, as side x side x 3 floats.
void normalise_image(std::span<const std::uint8_t> image, const Recipe& recipe, float* out);
/// The same, varied, shifted, mirrored and with a blank square, as the recipe wants; what lies outside
/// becomes 0, the mean colour. `dice` are random bits.
void augment_image(std::span<const std::uint8_t> image, std::uint32_t side, const Recipe& recipe,
                   std::uint64_t dice, float* out);

}  // namespace dofa::train
