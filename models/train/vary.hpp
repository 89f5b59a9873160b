// SPDX-License-Identifier: Apache-2.0
// Variations of a training picture's colours and shape, one a picture and of random strength: TrivialAugment
// (Müller and Hutter, ICCV 2021) with the operations and ranges of RandAugment (Cubuk et al., 2020). The
// arithmetic is Pillow's, to the last bit. Pure functions; thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace dofa::train {

enum class Variation : std::uint8_t {
  kIdentity,
  kAutoContrast,  ///< each channel stretched to 0..255
  kEqualize,      ///< each channel's histogram made flat
  kSolarize,      ///< values from a threshold on inverted
  kPosterize,     ///< low bits cleared
  kBrightness,
  kContrast,
  kColour,
  kSharpness,
  kRotate,
  kShearX,
  kShearY,
  kTranslateX,
  kTranslateY,
};
inline constexpr std::size_t kVariations = 14;

/// `image` and `out`: side x side x 3 values, R G B, not the same memory. `strength` is a threshold
/// (solarize), a number of bits (posterize), a factor that is 1 for no change (brightness to sharpness),
/// degrees counter-clockwise (rotate), a tangent (shear) or pixels (translate). What comes from outside
/// becomes `fill`.
void vary(std::span<const std::uint8_t> image, std::uint32_t side, Variation variation, double strength,
          std::array<std::uint8_t, 3> fill, std::span<std::uint8_t> out);

struct VariationChoice {
  Variation variation = Variation::kIdentity;
  double strength = 0;
};
/// Each as likely as the others, its strength uniform on 31 steps, either way where there are two ways.
VariationChoice choose_variation(std::uint64_t dice);

}  // namespace dofa::train
