// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/preprocess.hpp"

#include <cmath>
#include <limits>

#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::engine;

namespace {

config::Preprocessing plain(float crop_ratio) {
  return {crop_ratio, {0, 0, 0}, {1, 1, 1}};
}

std::vector<std::byte> noise(std::size_t count) {
  std::vector<std::byte> bytes(count);
  std::uint32_t state = 12345;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>((state = state * 1664525U + 1013904223U) >> 24);
  return bytes;
}

ImageView view(const std::vector<std::byte>& bytes, PixelFormat format, std::uint32_t width,
               std::uint32_t height, std::uint32_t stride = 0) {
  ImageView image{bytes.data(), {format, width, height, stride}};
  const auto needed = check_layout(image.layout);
  REQUIRE(needed.ok());
  REQUIRE(*needed <= bytes.size());
  return image;
}

std::vector<float> run(const ImageView& image, std::uint32_t side, const config::Preprocessing& recipe) {
  Preprocessor preprocessor(recipe);
  std::vector<float> out(3ULL * side * side);
  const auto done = preprocessor.run(image, side, out);
  if (!done) FAIL(done.error().message);
  return out;
}

/// Triangle-filter resampling in double precision, straight from the definition (PIL's precompute_coeffs):
/// one output sample at a time, both axes at once, no tables.
double resampled(const ImageView& image, std::uint32_t channel, double scale_x, double scale_y, double at_x,
                 double at_y) {
  const auto weight = [](double distance, double radius) {
    return std::max(0.0, 1.0 - std::abs(distance) / radius);
  };
  const double radius_x = std::max(1.0, scale_x);
  const double radius_y = std::max(1.0, scale_y);
  const double centre_x = (at_x + 0.5) * scale_x;
  const double centre_y = (at_y + 0.5) * scale_y;
  double sum = 0;
  double total = 0;
  for (std::uint32_t y = 0; y < image.layout.height; ++y) {
    for (std::uint32_t x = 0; x < image.layout.width; ++x) {
      const double w = weight(x + 0.5 - centre_x, radius_x) * weight(y + 0.5 - centre_y, radius_y);
      const auto pixel = image.data[std::size_t{y} * image.layout.stride + 3ULL * x + channel];
      sum += w * std::to_integer<int>(pixel);
      total += w;
    }
  }
  return sum / total / 255.0;
}

}  // namespace

TEST_CASE("resize and crop follow the triangle filter's definition for any size") {
  struct Case {
    std::uint32_t width, height, side;
    float crop_ratio;
  };
  for (const Case& c : {Case{64, 48, 32, 0.875F}, Case{31, 57, 16, 0.875F}, Case{20, 20, 32, 0.875F},
                        Case{100, 9, 16, 1.0F}, Case{16, 16, 16, 1.0F}, Case{1, 1, 16, 1.0F}}) {
    INFO(c.width << " x " << c.height << " to " << c.side << ", ratio " << c.crop_ratio);
    const auto bytes = noise(std::size_t{c.height} * (c.width * 3 + 5));
    const ImageView image = view(bytes, PixelFormat::kRgb8, c.width, c.height, c.width * 3 + 5);
    const auto out = run(image, c.side, plain(c.crop_ratio));
    const auto short_side = static_cast<std::uint32_t>(std::ceil(c.side / static_cast<double>(c.crop_ratio)));
    const std::uint32_t least = std::min(c.width, c.height);
    const std::uint32_t to_width = short_side * c.width / least;
    const std::uint32_t to_height = short_side * c.height / least;
    const double left = std::nearbyint((to_width - c.side) / 2.0);
    const double top = std::nearbyint((to_height - c.side) / 2.0);
    double worst = 0;
    for (std::uint32_t channel = 0; channel < 3; ++channel) {
      for (std::uint32_t y = 0; y < c.side; y += 3) {
        for (std::uint32_t x = 0; x < c.side; x += 3) {
          const double expected = resampled(image, channel, c.width / static_cast<double>(to_width),
                                            c.height / static_cast<double>(to_height), left + x, top + y);
          worst = std::max(worst, std::abs(expected - out[(channel * c.side + y) * c.side + x]));
        }
      }
    }
    CHECK(worst < 1e-5);
  }
}

TEST_CASE("normalisation is (value / 255 - mean) / std, channel by channel") {
  const std::vector<std::byte> bytes{std::byte{0}, std::byte{128}, std::byte{255}};
  const auto out =
      run(view(bytes, PixelFormat::kRgb8, 1, 1), 16, {1.0F, {0.5F, 0.4F, 0.3F}, {0.2F, 0.25F, 0.5F}});
  CHECK(out[0] == Catch::Approx((0 - 0.5) / 0.2));
  CHECK(out[256] == Catch::Approx((128 / 255.0 - 0.4) / 0.25));
  CHECK(out[512] == Catch::Approx((1 - 0.3) / 0.5));
}

TEST_CASE("every format shows the same picture") {
  const auto constant = [](PixelFormat format, std::vector<std::uint8_t> pattern, std::uint32_t width,
                           std::uint32_t height) {
    std::vector<std::byte> bytes(row_bytes(format, width) * height);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::byte{pattern[i % pattern.size()]};
    return run(view(bytes, format, width, height), 16, plain(1.0F));
  };
  const auto rgb = constant(PixelFormat::kRgb8, {200, 100, 50}, 20, 20);
  const auto bgr = constant(PixelFormat::kBgr8, {50, 100, 200}, 20, 20);
  CHECK(rgb == bgr);
  const auto gray = constant(PixelFormat::kGray8, {77}, 20, 20);
  for (const float value : gray) CHECK(value == Catch::Approx(77 / 255.0));
  // BT.601, limited range, by hand: Y 81, U 90, V 240 is pure red; Y 235 is white, Y 16 black.
  const auto red = constant(PixelFormat::kYuyv, {81, 90, 81, 240}, 20, 20);
  CHECK(red[0] == Catch::Approx(1.0).margin(0.01));
  CHECK(red[256] == Catch::Approx(0.0).margin(0.01));
  CHECK(red[512] == Catch::Approx(0.0).margin(0.01));

  std::vector<std::byte> nv12(20 * 30, std::byte{128});
  std::fill(nv12.begin(), nv12.begin() + 20 * 20, std::byte{235});
  const auto white = run(view(nv12, PixelFormat::kNv12, 20, 20), 16, plain(1.0F));
  for (const float value : white) CHECK(value == Catch::Approx(1.0).margin(0.01));
}

TEST_CASE("float frames pass unchanged, but not with NaN, infinity or another size") {
  std::vector<float> values(3 * 16 * 16);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) - 300.0F;
  const ImageView image{reinterpret_cast<const std::byte*>(values.data()),
                        {PixelFormat::kFloat32Nchw, 16, 16, 64}};
  Preprocessor preprocessor(plain(0.875F));
  std::vector<float> out(values.size());
  REQUIRE(preprocessor.run(image, 16, out).ok());
  CHECK(out == values);
  std::vector<float> larger(3 * 32 * 32);
  CHECK(preprocessor.run(image, 32, larger).error().code == ErrorCode::kInvalidArgument);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    values.back() = bad;
    CHECK(preprocessor.run(image, 16, out).error().code == ErrorCode::kInvalidArgument);
  }
}

TEST_CASE("one preprocessor serves frames of changing size") {
  Preprocessor preprocessor(plain(0.875F));
  std::vector<float> out(3 * 16 * 16);
  const auto bytes = noise(64 * 64 * 3);
  for (const std::uint32_t side : {64U, 17U, 40U, 64U}) {
    const ImageView image = view(bytes, PixelFormat::kRgb8, side, side);
    REQUIRE(preprocessor.run(image, 16, out).ok());
    CHECK(out == run(image, 16, plain(0.875F)));
  }
}
