// SPDX-License-Identifier: Apache-2.0
// Variations of training pictures against what Pillow makes of the same picture.
#include "models/train/vary.hpp"

#include <map>
#include <set>
#include <vector>

#include "models/train/space.hpp"
#include "tests/support/catch.hpp"

using namespace dofa::train;

namespace {

constexpr std::uint32_t kSide = 20;
constexpr std::array<std::uint8_t, 3> kFill{10, 20, 30};

std::vector<std::uint8_t> noisy_image() {
  std::vector<std::uint8_t> pixels;
  for (std::uint64_t i = 0; i < kSide * kSide * 3; ++i)
    pixels.push_back(static_cast<std::uint8_t>((i * 37 + i * i * 11) % 193 + i % 3 * 20));
  return pixels;
}

std::vector<std::uint8_t> varied(const std::vector<std::uint8_t>& image, Variation variation,
                                 double strength) {
  std::vector<std::uint8_t> out(image.size(), 111);
  vary(image, kSide, variation, strength, kFill, out);
  return out;
}

/// FNV-1a, 64 bits.
std::uint64_t hash(const std::vector<std::uint8_t>& bytes) {
  std::uint64_t value = 0xcbf29ce484222325ULL;
  for (const std::uint8_t byte : bytes) value = (value ^ byte) * 0x100000001b3ULL;
  return value;
}

struct Case {
  Variation variation;
  double strength;
  std::uint64_t hash;
};

}  // namespace

TEST_CASE("pictures are varied as Pillow varies them") {
  // Hashes of what Pillow 13.0.0 makes of it: ImageOps.autocontrast, equalize, solarize and posterize,
  // ImageEnhance's four, Image.rotate and Image.transform(AFFINE, NEAREST).
  const std::vector<Case> cases{
      {Variation::kAutoContrast, 0, 0x3178fc4f185c9fa6ULL},
      {Variation::kEqualize, 0, 0x829dc7ce5e5c6b41ULL},
      {Variation::kSolarize, 0, 0x3b2912642cbccf37ULL},
      {Variation::kSolarize, 100, 0xa48193644b8a4972ULL},
      {Variation::kSolarize, 256, 0x78e0c9154d6d53bfULL},
      {Variation::kPosterize, 4, 0xe198b31f7b751945ULL},
      {Variation::kPosterize, 7, 0xf73d941677bfd6a1ULL},
      {Variation::kPosterize, 8, 0x78e0c9154d6d53bfULL},
      {Variation::kBrightness, 0.1, 0x80f88706d4ace7f8ULL},
      {Variation::kBrightness, 0.7, 0x1cb54bee863874b2ULL},
      {Variation::kBrightness, 1.9, 0x5130f76e706f8dfeULL},
      {Variation::kContrast, 0.1, 0x024d9f0c24da27feULL},
      {Variation::kContrast, 0.7, 0x98f60f674963061cULL},
      {Variation::kContrast, 1.9, 0x50f9f50e0a716167ULL},
      {Variation::kColour, 0.1, 0x1014daa47c821240ULL},
      {Variation::kColour, 0.7, 0x0d1e55c673ea6972ULL},
      {Variation::kColour, 1.9, 0x35d3a6609970bc66ULL},
      {Variation::kSharpness, 0.1, 0x62e7ead0a5729d62ULL},
      {Variation::kSharpness, 0.7, 0x8a29f017c83facf2ULL},
      {Variation::kSharpness, 1.9, 0x1f345c8a293d668dULL},
      {Variation::kRotate, 30, 0x6c40578eafa84edcULL},
      {Variation::kRotate, -17, 0xab694f9d6714b737ULL},
      {Variation::kShearX, 0.3, 0x7eb3a1b85579cca8ULL},
      {Variation::kShearY, 0.3, 0x8a9f971066105284ULL},
      {Variation::kShearX, -0.13, 0x160e8805095f041bULL},
      {Variation::kShearY, -0.13, 0x465b07e1799cad9eULL},
      {Variation::kTranslateX, 7, 0xfbefb61262720f82ULL},
      {Variation::kTranslateY, 7, 0x034f49dd5a456f94ULL},
      {Variation::kTranslateX, -3, 0x94680934e075d519ULL},
      {Variation::kTranslateY, -3, 0x16ab27ee0413c94eULL},
  };
  for (const Case& wanted : cases) {
    INFO("variation " << static_cast<int>(wanted.variation) << " at " << wanted.strength);
    CHECK(hash(varied(noisy_image(), wanted.variation, wanted.strength)) == wanted.hash);
  }
  CHECK(varied(noisy_image(), Variation::kIdentity, 0) == noisy_image());
}

TEST_CASE("a picture of one colour stays of one colour") {
  const std::vector<std::uint8_t> grey(std::size_t{kSide} * kSide * 3, 77);
  for (const auto variation : {Variation::kAutoContrast, Variation::kEqualize, Variation::kContrast,
                               Variation::kColour, Variation::kSharpness})
    CHECK(varied(grey, variation, 0.4) == grey);
}

TEST_CASE("every variation is chosen about as often, either way, and within its range") {
  std::map<Variation, int> counts;
  std::map<Variation, std::set<double>> strengths;
  for (std::uint64_t i = 0; i < 14'000; ++i) {
    const VariationChoice choice = choose_variation(mix(1, 2, i));
    ++counts[choice.variation];
    strengths[choice.variation].insert(choice.strength);
  }
  CHECK(counts.size() == kVariations);
  for (const auto& [variation, count] : counts) {
    CHECK(count > 850);
    CHECK(count < 1150);
  }
  const auto range = [&](Variation variation, double low, double high, std::size_t steps) {
    INFO("variation " << static_cast<int>(variation));
    CHECK(*strengths[variation].begin() == Approx(low).margin(1e-12));
    CHECK(*strengths[variation].rbegin() == Approx(high).margin(1e-12));
    CHECK(strengths[variation].size() == steps);
  };
  range(Variation::kSolarize, 0, 256, 31);
  range(Variation::kPosterize, 4, 8, 5);
  range(Variation::kRotate, -30, 30, 61);
  range(Variation::kShearY, -0.3, 0.3, 61);
  range(Variation::kTranslateX, -10, 10, 21);
  range(Variation::kBrightness, 0.1, 1.9, 61);
}
