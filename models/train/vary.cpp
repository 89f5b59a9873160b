// SPDX-License-Identifier: Apache-2.0
#include "models/train/vary.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>

namespace dofa::train {
namespace {

using Picture = std::span<const std::uint8_t>;
using Table = std::array<std::uint8_t, 256>;
using Histogram = std::array<std::uint32_t, 256>;

std::uint8_t clipped(double value) {
  return static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0));
}

/// `factor` 1 gives `to`, 0 gives `from`, beyond 1 goes on in the same direction.
std::uint8_t blend(int from, int to, double factor) {
  return clipped(static_cast<float>(from) + static_cast<float>(factor) * static_cast<float>(to - from));
}

int luminance(const std::uint8_t* pixel) {  // ITU-R 601-2
  return (pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 0x8000) >> 16;
}

Histogram histogram(Picture image, std::size_t channel) {
  Histogram counts{};
  for (std::size_t i = channel; i < image.size(); i += 3) ++counts[image[i]];
  return counts;
}

Table unchanged() {
  Table table{};
  std::iota(table.begin(), table.end(), std::uint8_t{0});
  return table;
}

Table stretching(const Histogram& counts) {
  int low = 0;
  int high = 255;
  while (low < 255 && counts[static_cast<std::size_t>(low)] == 0) ++low;
  while (high > 0 && counts[static_cast<std::size_t>(high)] == 0) --high;
  Table table = unchanged();
  if (high <= low) return table;
  const double scale = 255.0 / (high - low);
  const double offset = -low * scale;
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = clipped(static_cast<double>(i) * scale + offset);
  return table;
}

Table equalizing(const Histogram& counts) {
  Table table = unchanged();
  const auto last =
      std::ranges::find_if(counts.rbegin(), counts.rend(), [](auto count) { return count > 0; });
  if (last == counts.rend()) return table;
  const std::uint32_t step = (std::accumulate(counts.begin(), counts.end(), 0U) - *last) / 255;
  if (step == 0) return table;
  std::uint32_t below = step / 2;
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] = static_cast<std::uint8_t>(std::min(below / step, 255U));
    below += counts[i];
  }
  return table;
}

template <class TableOf>
void look_up(Picture image, std::span<std::uint8_t> out, const TableOf& table_of) {
  for (std::size_t channel = 0; channel < 3; ++channel) {
    const Table table = table_of(channel);
    for (std::size_t i = channel; i < image.size(); i += 3) out[i] = table[image[i]];
  }
}

template <class Value>
Table table_from(const Value& value) {
  Table table{};
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = value(static_cast<int>(i));
  return table;
}

void saturate(Picture image, double factor, std::span<std::uint8_t> out) {
  for (std::size_t i = 0; i < image.size(); i += 3)
    for (std::size_t c = 0; c < 3; ++c) out[i + c] = blend(luminance(&image[i]), image[i + c], factor);
}

int mean_luminance(Picture image) {
  double sum = 0;
  for (std::size_t i = 0; i < image.size(); i += 3) sum += luminance(&image[i]);
  return static_cast<int>(sum / (static_cast<double>(image.size()) / 3) + 0.5);
}

void sharpen(Picture image, std::uint32_t side, double factor, std::span<std::uint8_t> out) {
  const std::size_t row = std::size_t{side} * 3;
  for (std::size_t i = 0; i < image.size(); ++i) {
    const std::size_t y = i / row;
    const std::size_t x = i % row / 3;
    int smooth = image[i];
    if (y > 0 && y + 1 < side && x > 0 && x + 1 < side) {  // the border stays as it is
      int sum = 4 * image[i];
      for (const std::size_t from : {i - row, i, i + row})
        sum += image[from - 3] + image[from] + image[from + 3];
      smooth = static_cast<int>(static_cast<double>(sum) / 13 + 0.5);
    }
    out[i] = blend(smooth, image[i], factor);
  }
}

/// Where a pixel's centre comes from: x' = a x + b y + c, y' = d x + e y + f.
struct Affine {
  double a = 1, b = 0, c = 0, d = 0, e = 1, f = 0;
};

Affine rotation(double degrees, std::uint32_t side) {
  const double radians = -degrees * std::numbers::pi / 180;
  const double cosine = std::cos(radians);
  const double sine = std::sin(radians);
  const double centre = side / 2.0;
  return {cosine, sine,   centre - cosine * centre - sine * centre,
          -sine,  cosine, centre + sine * centre - cosine * centre};
}

void warp(Picture image, std::uint32_t side, const Affine& from, std::array<std::uint8_t, 3> fill,
          std::span<std::uint8_t> out) {
  const auto size = static_cast<double>(side);
  auto* to = out.data();
  for (std::uint32_t y = 0; y < side; ++y) {
    for (std::uint32_t x = 0; x < side; ++x, to += 3) {
      const double source_x = from.a * (x + 0.5) + from.b * (y + 0.5) + from.c;
      const double source_y = from.d * (x + 0.5) + from.e * (y + 0.5) + from.f;
      const bool inside = source_x >= 0 && source_x < size && source_y >= 0 && source_y < size;
      const std::uint8_t* pixel =
          inside
              ? &image[(static_cast<std::size_t>(source_y) * side + static_cast<std::size_t>(source_x)) * 3]
              : fill.data();
      std::copy_n(pixel, 3, to);
    }
  }
}

}  // namespace

void vary(Picture image, std::uint32_t side, Variation variation, double strength,
          std::array<std::uint8_t, 3> fill, std::span<std::uint8_t> out) {
  const auto by = [&](const auto& value) {
    const Table table = table_from(value);
    look_up(image, out, [&](std::size_t) { return table; });
  };
  switch (variation) {
    case Variation::kIdentity:
      std::ranges::copy(image, out.begin());
      return;
    case Variation::kAutoContrast:
      return look_up(image, out, [&](std::size_t c) { return stretching(histogram(image, c)); });
    case Variation::kEqualize:
      return look_up(image, out, [&](std::size_t c) { return equalizing(histogram(image, c)); });
    case Variation::kSolarize:
      return by([&](int i) { return static_cast<std::uint8_t>(i < strength ? i : 255 - i); });
    case Variation::kPosterize: {
      const int mask = ~((1 << (8 - static_cast<int>(strength))) - 1);
      return by([&](int i) { return static_cast<std::uint8_t>(i & mask); });
    }
    case Variation::kBrightness:
      return by([&](int i) { return blend(0, i, strength); });
    case Variation::kContrast: {
      const int mean = mean_luminance(image);
      return by([&](int i) { return blend(mean, i, strength); });
    }
    case Variation::kColour:
      return saturate(image, strength, out);
    case Variation::kSharpness:
      return sharpen(image, side, strength, out);
    case Variation::kRotate:
      return warp(image, side, rotation(strength, side), fill, out);
    case Variation::kShearX:
      return warp(image, side, {1, strength, 0, 0, 1, 0}, fill, out);
    case Variation::kShearY:
      return warp(image, side, {1, 0, 0, strength, 1, 0}, fill, out);
    case Variation::kTranslateX:
      return warp(image, side, {1, 0, strength, 0, 1, 0}, fill, out);
    case Variation::kTranslateY:
      return warp(image, side, {1, 0, 0, 0, 1, strength}, fill, out);
  }
}

VariationChoice choose_variation(std::uint64_t dice) {
  static constexpr std::uint64_t kSteps = 31;
  static constexpr double kTurn = 30;     // degrees
  static constexpr double kShear = 0.3;   // tangent
  static constexpr double kShift = 10;    // pixels
  static constexpr double kFactor = 0.9;  // away from 1
  const auto variation = static_cast<Variation>(dice % kVariations);
  const double amount = static_cast<double>(dice / kVariations % kSteps) / (kSteps - 1);
  const double sign = dice / kVariations / kSteps % 2 == 0 ? 1 : -1;
  switch (variation) {
    case Variation::kIdentity:
    case Variation::kAutoContrast:
    case Variation::kEqualize:
      return {variation, 0};
    case Variation::kSolarize:
      return {variation, 256 * (1 - amount)};
    case Variation::kPosterize:
      return {variation, 8 - std::round(4 * amount)};
    case Variation::kBrightness:
    case Variation::kContrast:
    case Variation::kColour:
    case Variation::kSharpness:
      return {variation, 1 + sign * kFactor * amount};
    case Variation::kRotate:
      return {variation, sign * kTurn * amount};
    case Variation::kShearX:
    case Variation::kShearY:
      return {variation, sign * kShear * amount};
    case Variation::kTranslateX:
    case Variation::kTranslateY:
      return {variation, sign * std::round(kShift * amount)};
  }
  return {};
}

}  // namespace dofa::train
