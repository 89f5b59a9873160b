// SPDX-License-Identifier: Apache-2.0
// Images that a small network learns within seconds, and a recipe that does it.
#pragma once

#include "daemon/engine/supernet.hpp"
#include "models/train/images.hpp"

namespace dofa::train {

/// Four classes told by which quarter of a noisy image is bright.
inline Images quarters(std::size_t count, std::uint64_t seed) {
  Images images;
  images.side = 16;
  for (std::size_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::uint32_t>(mix(seed, i, 0) % 4);
    images.labels.push_back(label);
    for (std::uint32_t y = 0; y < 16; ++y)
      for (std::uint32_t x = 0; x < 16; ++x) {
        const bool bright = (y / 8) * 2 + x / 8 == label;
        for (std::uint32_t c = 0; c < 3; ++c)
          images.pixels.push_back(
              static_cast<std::uint8_t>((bright ? 120 : 60) + mix(seed, i, y * 64 + x * 4 + c) % 60));
      }
  }
  return images;
}

inline Recipe small_recipe() {
  Recipe recipe;
  recipe.space.width = 0.25;
  recipe.space.classes = 4;
  recipe.space.max_depth = 2;
  recipe.space.expand_ratios = {3, 4};
  recipe.space.resolutions = {16};
  recipe.space.stage_strides = {2, 2, 1, 1, 1};
  recipe.epochs = 4;
  recipe.batch = 32;
  recipe.crop_padding = 0;
  recipe.flip = false;
  recipe.warmup_epochs = 0.5;
  recipe.ema_decay = 0.9;
  return recipe;
}

/// Whether two sets of weights are equal to the last bit.
inline bool same(const engine::FloatTensors& a, const engine::FloatTensors& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a)
    if (!b.contains(name) || b.at(name).values != tensor.values) return false;
  return true;
}

}  // namespace dofa::train
