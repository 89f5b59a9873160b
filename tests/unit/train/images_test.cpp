// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "models/train/images.hpp"
#include "tests/support/catch.hpp"

using namespace dofa::train;

namespace {

constexpr std::uint32_t kSide = 8;

/// Every pixel tells where it is: red y, green x, blue 200.
std::vector<std::uint8_t> map_image() {
  std::vector<std::uint8_t> pixels;
  for (std::uint32_t y = 0; y < kSide; ++y)
    for (std::uint32_t x = 0; x < kSide; ++x)
      pixels.insert(pixels.end(), {static_cast<std::uint8_t>(y + 1), static_cast<std::uint8_t>(x + 1), 200});
  return pixels;
}

/// Normalisation that leaves values as they are.
Recipe plain() {
  Recipe recipe;
  recipe.mean = {0, 0, 0};
  recipe.deviation = {1 / 255.0F, 1 / 255.0F, 1 / 255.0F};
  recipe.crop_padding = 0;
  recipe.flip = false;
  recipe.cutout = 0;
  return recipe;
}

std::vector<float> augmented(const Recipe& recipe, std::uint64_t dice) {
  std::vector<float> out(kSide * kSide * 3, -1);
  augment_image(map_image(), kSide, recipe, dice, out.data());
  return out;
}

}  // namespace

TEST_CASE("without variation an image is only normalised") {
  Recipe recipe = plain();
  const auto out = augmented(recipe, 12345);
  const auto pixels = map_image();
  for (std::size_t i = 0; i < pixels.size(); ++i) REQUIRE(out[i] == Approx(pixels[i]));
  recipe.mean = {0.5F, 0.25F, 0};
  recipe.deviation = {0.5F, 0.25F, 2};
  std::vector<float> normalised(pixels.size());
  normalise_image(pixels, recipe, normalised.data());
  CHECK(normalised[0] == Approx((1 / 255.0 - 0.5) / 0.5));
  CHECK(normalised[1] == Approx((1 / 255.0 - 0.25) / 0.25));
  CHECK(normalised[2] == Approx(200 / 255.0 / 2));
  CHECK(augmented(recipe, 1) == normalised);
}

TEST_CASE("images are shifted by up to the padding, and what was outside is blank") {
  Recipe recipe = plain();
  recipe.crop_padding = 2;
  std::set<std::pair<int, int>> shifts;
  for (std::uint64_t dice = 0; dice < 200; ++dice) {
    const auto out = augmented(recipe, mix(1, 2, dice));
    const float* centre = &out[(4 * kSide + 4) * 3];
    const int dy = static_cast<int>(centre[0] + 0.5F) - 5;
    const int dx = static_cast<int>(centre[1] + 0.5F) - 5;
    shifts.insert({dy, dx});
    for (int y = 0; y < 8; ++y)
      for (int x = 0; x < 8; ++x) {
        const bool outside = y + dy < 0 || y + dy >= 8 || x + dx < 0 || x + dx >= 8;
        REQUIRE(out[(y * 8 + x) * 3] == Approx(outside ? 0 : y + dy + 1));
        REQUIRE(out[(y * 8 + x) * 3 + 1] == Approx(outside ? 0 : x + dx + 1));
      }
  }
  CHECK(shifts.size() == 25);
}

TEST_CASE("about every other image is mirrored, and a square is blanked within bounds") {
  Recipe recipe = plain();
  recipe.flip = true;
  int mirrored = 0;
  for (std::uint64_t dice = 0; dice < 400; ++dice)
    mirrored += augmented(recipe, mix(3, 4, dice))[1] > 4 ? 1 : 0;
  CHECK(mirrored > 150);
  CHECK(mirrored < 250);
  recipe.flip = false;
  recipe.cutout = 4;
  std::set<std::size_t> blanks;
  for (std::uint64_t dice = 0; dice < 100; ++dice) {
    const auto out = augmented(recipe, mix(5, 6, dice));
    blanks.insert(static_cast<std::size_t>(std::ranges::count(out, 0.0F)) / 3);
  }
  CHECK(*blanks.rbegin() == 16);
  CHECK(*blanks.begin() >= 4);  // at least the part that a corner leaves
}

TEST_CASE("images are varied where the recipe says so, each by its dice") {
  Recipe recipe = plain();
  recipe.mean = {0.5F, 0.5F, 0.5F};
  recipe.vary = true;
  std::set<std::vector<float>> answers;
  for (std::uint64_t dice = 0; dice < 300; ++dice) answers.insert(augmented(recipe, mix(7, 8, dice)));
  CHECK(answers.size() > 50);
  CHECK(augmented(recipe, 9) == augmented(recipe, 9));
  recipe.vary = false;
  CHECK(answers.contains(augmented(recipe, 0)));  // the identity is one of them
}

TEST_CASE("an epoch shows every image once, in an order of its own") {
  auto first = epoch_order(1000, 1, 0);
  CHECK(first == epoch_order(1000, 1, 0));
  CHECK_FALSE(first == epoch_order(1000, 1, 1));
  CHECK_FALSE(first == epoch_order(1000, 2, 0));
  std::ranges::sort(first);
  for (std::uint32_t i = 0; i < 1000; ++i) REQUIRE(first[i] == i);
}

TEST_CASE("colours are measured over all pixels") {
  Images images{2, {}, {0, 1}};
  for (int i = 0; i < 8; ++i)
    images.pixels.insert(images.pixels.end(), {51, static_cast<std::uint8_t>(i < 4 ? 0 : 255), 255});
  std::array<float, 3> mean{};
  std::array<float, 3> deviation{};
  measure_colours(images, mean, deviation);
  CHECK(mean[0] == Approx(0.2));
  CHECK(mean[1] == Approx(0.5));
  CHECK(deviation[1] == Approx(0.5));
  CHECK(mean[2] == Approx(1.0));
}
