// SPDX-License-Identifier: Apache-2.0
// From a frame to a network's input: resize of the short side (bilinear with antialias, the triangle filter
// of PIL's Image.resize and torchvision's Resize), centre crop and normalisation, in one pass over only the
// pixels that the crop keeps. A Preprocessor belongs to one thread; after the first frame of a size it
// allocates nothing. Std only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/config/family.hpp"
#include "daemon/engine/image.hpp"

namespace dofa::engine {

/// Weights that make one axis of the crop out of the source: output i is the sum of
/// weights[i * taps + k] * source[first[i] + k] over k < taps.
struct ResampleAxis {
  std::vector<std::uint32_t> first;
  std::vector<float> weights;
  std::uint32_t taps = 0;
};

/// The taps of `count` outputs from `offset` on, of an axis resized from `from` to `to` samples: triangle
/// filter of radius max(1, from/to) around the centre (i + 0.5) * from/to, normalised to sum 1.
void make_axis(std::uint32_t from, std::uint32_t to, std::uint32_t offset, std::uint32_t count,
               ResampleAxis& axis);

/// The taps of both axes that make the recipe's crop, resolution x resolution, out of a frame of this size.
void plan_crop(const config::Preprocessing& recipe, std::uint32_t width, std::uint32_t height,
               std::uint32_t resolution, ResampleAxis& columns, ResampleAxis& rows);

/// Copies a float32-nchw frame, which must be resolution x resolution without NaN or infinity
/// (kInvalidArgument).
Result<void> copy_normalised(const ImageView& image, std::uint32_t resolution, std::span<float> out);

class Preprocessor {
 public:
  explicit Preprocessor(const config::Preprocessing& recipe) : recipe_(recipe) {}

  /// Fills `out`, 3 x resolution x resolution floats (planes red, green, blue; rows top to bottom), from
  /// `image`, whose layout check_layout() has accepted. float32-nchw is copied and must be resolution x
  /// resolution without NaN or infinity (kInvalidArgument).
  Result<void> run(const ImageView& image, std::uint32_t resolution, std::span<float> out);

 private:
  /// What the taps were made for.
  struct Geometry {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    std::uint32_t resolution = 0;
    bool operator==(const Geometry&) const = default;
  };

  void plan(const Geometry& geometry);
  void resample(const ImageView& image, std::span<float> out);

  config::Preprocessing recipe_;
  Geometry geometry_;
  ResampleAxis columns_;
  ResampleAxis rows_;
  std::uint32_t first_column_ = 0;  ///< of the source that any output needs
  std::uint32_t column_count_ = 0;
  std::vector<float> source_row_;  ///< one row as planar RGB floats, 3 x column_count_
  std::vector<float> ring_;        ///< rows already resized horizontally, taps x 3 x resolution
};

}  // namespace dofa::engine
