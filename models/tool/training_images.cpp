// SPDX-License-Identifier: Apache-2.0
#include "models/tool/training_images.hpp"

#include <cmath>

#include "daemon/engine/preprocess.hpp"
#include "models/tool/pictures.hpp"
#include "models/tool/progress.hpp"

namespace dofa::tool {
namespace {

constexpr float kLevels = 255.0F;
/// Leaves values as they are, 0 to 255.
constexpr config::Preprocessing kAsTheyAre{1.0F, {0, 0, 0}, {1 / kLevels, 1 / kLevels, 1 / kLevels}};

}  // namespace

Result<train::Images> read_training_images(const std::string& folder, const std::string& split,
                                           std::uint32_t side) {
  const auto pictures = open_labelled_pictures({{folder}, split, 0, {}});
  if (!pictures) return pictures.error();
  engine::Preprocessor preprocessor(kAsTheyAre);
  const std::size_t plane = std::size_t{side} * side;
  std::vector<float> planes(3 * plane);
  train::Images images;
  images.side = side;
  images.pixels.reserve((*pictures)->size() * planes.size());
  Progress progress("reading: picture", (*pictures)->size());
  for (std::size_t i = 0; i < (*pictures)->size(); ++i) {
    const auto label = (*pictures)->label(i);
    const auto picture = (*pictures)->load(i);
    if (!picture) return picture.error();
    if (const auto done = preprocessor.run(picture->view, side, planes); !done) return done.error();
    for (std::size_t pixel = 0; pixel < plane; ++pixel)
      for (std::size_t c = 0; c < 3; ++c)
        images.pixels.push_back(static_cast<std::uint8_t>(std::lround(planes[c * plane + pixel])));
    images.labels.push_back(label.value_or(0));
    progress.step();
  }
  return images;
}

}  // namespace dofa::tool
