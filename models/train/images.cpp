// SPDX-License-Identifier: Apache-2.0
#include "models/train/images.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "models/train/vary.hpp"

namespace dofa::train {
namespace {

/// value -> normalised, for each channel.
struct Lookup {
  explicit Lookup(const Recipe& recipe) {
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t value = 0; value < 256; ++value)
        table[c][value] = (static_cast<float>(value) / 255.0F - recipe.mean[c]) / recipe.deviation[c];
  }
  float table[3][256];
};

/// Takes a number below `count` off the random bits.
std::int64_t take(std::uint64_t& dice, std::uint64_t count) {
  const std::uint64_t value = dice % count;
  dice /= count;
  return static_cast<std::int64_t>(value);
}

}  // namespace

void measure_colours(const Images& images, std::array<float, 3>& mean, std::array<float, 3>& deviation) {
  std::array<double, 3> sum{};
  std::array<double, 3> square{};
  for (std::size_t i = 0; i < images.pixels.size(); ++i) {
    const double value = images.pixels[i] / 255.0;
    sum[i % 3] += value;
    square[i % 3] += value * value;
  }
  const double count = std::max(1.0, static_cast<double>(images.pixels.size()) / 3);
  for (std::size_t c = 0; c < 3; ++c) {
    const double average = sum[c] / count;
    mean[c] = static_cast<float>(average);
    deviation[c] = static_cast<float>(std::sqrt(std::max(1e-6, square[c] / count - average * average)));
  }
}

std::vector<std::uint32_t> epoch_order(std::size_t count, std::uint64_t seed, std::uint64_t epoch) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  for (std::size_t i = count; i > 1; --i) std::swap(order[i - 1], order[mix(seed, ~epoch, i) % i]);
  return order;
}

void normalise_image(std::span<const std::uint8_t> image, const Recipe& recipe, float* out) {
  const Lookup lookup(recipe);
  for (std::size_t i = 0; i < image.size(); ++i) out[i] = lookup.table[i % 3][image[i]];
}

void augment_image(std::span<const std::uint8_t> original, std::uint32_t side, const Recipe& recipe,
                   std::uint64_t dice, float* out) {
  const Lookup lookup(recipe);
  std::span<const std::uint8_t> image = original;
  std::vector<std::uint8_t> varied;
  if (recipe.vary) {
    varied.resize(original.size());
    std::array<std::uint8_t, 3> fill{};
    for (std::size_t c = 0; c < 3; ++c) fill[c] = static_cast<std::uint8_t>(255 * recipe.mean[c] + 0.5F);
    const VariationChoice choice = choose_variation(mix(dice, 0, 0));
    vary(original, side, choice.variation, choice.strength, fill, varied);
    image = varied;
  }
  const std::int64_t size = side;
  const std::int64_t reach = recipe.crop_padding;
  const std::int64_t shift_y = take(dice, 2 * reach + 1) - reach;
  const std::int64_t shift_x = take(dice, 2 * reach + 1) - reach;
  const bool mirrored = recipe.flip && take(dice, 2) == 1;
  const std::int64_t hole = recipe.cutout;
  const std::int64_t hole_y = hole == 0 ? size : take(dice, side) - hole / 2;
  const std::int64_t hole_x = hole == 0 ? size : take(dice, side) - hole / 2;
  for (std::int64_t y = 0; y < size; ++y) {
    const std::int64_t from_y = y + shift_y;
    const bool row_blank = from_y < 0 || from_y >= size;
    const bool row_holed = y >= hole_y && y < hole_y + hole;
    for (std::int64_t x = 0; x < size; ++x, out += 3) {
      const std::int64_t from_x = (mirrored ? size - 1 - x : x) + shift_x;
      if (row_blank || from_x < 0 || from_x >= size || (row_holed && x >= hole_x && x < hole_x + hole)) {
        std::fill_n(out, 3, 0.0F);
        continue;
      }
      const std::uint8_t* pixel = &image[static_cast<std::size_t>((from_y * size + from_x) * 3)];
      for (std::size_t c = 0; c < 3; ++c) out[c] = lookup.table[c][pixel[c]];
    }
  }
}

}  // namespace dofa::train
