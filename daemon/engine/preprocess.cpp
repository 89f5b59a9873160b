// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/preprocess.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace dofa::engine {
namespace {

using Byte = const std::byte*;

float level(std::byte value) {
  return static_cast<float>(std::to_integer<std::uint8_t>(value));
}

/// BT.601 limited range, as cameras deliver nv12 and yuyv.
void store_yuv(std::byte y, std::byte u, std::byte v, float* red, float* green, float* blue) {
  const float luma = 1.164383F * (level(y) - 16.0F);
  const float cb = level(u) - 128.0F;
  const float cr = level(v) - 128.0F;
  *red = std::clamp(luma + 1.596027F * cr, 0.0F, 255.0F);
  *green = std::clamp(luma - 0.391762F * cb - 0.812968F * cr, 0.0F, 255.0F);
  *blue = std::clamp(luma + 2.017232F * cb, 0.0F, 255.0F);
}

/// Unpacks pixels [first, first + count) of row y into planar floats in 0..255: red, green, blue, each
/// `count` long.
void unpack_row(const ImageView& image, std::uint32_t y, std::uint32_t first, std::uint32_t count,
                float* out) {
  const ImageLayout& layout = image.layout;
  const Byte row = image.data + static_cast<std::size_t>(y) * layout.stride;
  float* red = out;
  float* green = out + count;
  float* blue = out + 2ULL * count;
  switch (layout.format) {
    case PixelFormat::kBgr8:
      std::swap(red, blue);
      [[fallthrough]];
    case PixelFormat::kRgb8: {
      const Byte pixels = row + 3ULL * first;
      for (std::uint32_t x = 0; x < count; ++x) {
        red[x] = level(pixels[3ULL * x]);
        green[x] = level(pixels[3ULL * x + 1]);
        blue[x] = level(pixels[3ULL * x + 2]);
      }
      return;
    }
    case PixelFormat::kGray8:
      for (std::uint32_t x = 0; x < count; ++x) red[x] = green[x] = blue[x] = level(row[first + x]);
      return;
    case PixelFormat::kNv12: {
      const Byte chroma = image.data + (static_cast<std::size_t>(layout.height) + y / 2) * layout.stride;
      for (std::uint32_t x = 0; x < count; ++x) {
        const std::uint32_t column = first + x;
        const Byte pair = chroma + (column & ~1U);
        store_yuv(row[column], pair[0], pair[1], red + x, green + x, blue + x);
      }
      return;
    }
    case PixelFormat::kYuyv:
      for (std::uint32_t x = 0; x < count; ++x) {
        const std::uint32_t column = first + x;
        const Byte pair = row + 2ULL * (column & ~1U);
        store_yuv(pair[(column & 1U) * 2], pair[1], pair[3], red + x, green + x, blue + x);
      }
      return;
    case PixelFormat::kFloat32Nchw:
      return;  // never resampled
  }
}

}  // namespace

Result<void> copy_normalised(const ImageView& image, std::uint32_t resolution, std::span<float> out) {
  const ImageLayout& layout = image.layout;
  if (layout.width != resolution || layout.height != resolution) {
    return Error{ErrorCode::kInvalidArgument, "float32-nchw must be " + std::to_string(resolution) + " x " +
                                                  std::to_string(resolution) + " for this level, not " +
                                                  std::to_string(layout.width) + " x " +
                                                  std::to_string(layout.height)};
  }
  std::memcpy(out.data(), image.data, out.size_bytes());
  // Checked after the copy: the source may change under us, the copy does not.
  if (!std::all_of(out.begin(), out.end(), [](float value) { return std::isfinite(value); })) {
    return Error{ErrorCode::kInvalidArgument, "the frame holds NaN or infinity"};
  }
  return {};
}

void make_axis(std::uint32_t from, std::uint32_t to, std::uint32_t offset, std::uint32_t count,
               ResampleAxis& axis) {
  const double scale = static_cast<double>(from) / to;
  const double radius = std::max(1.0, scale);
  axis.taps = std::min(from, 2 * static_cast<std::uint32_t>(std::ceil(radius)) + 1);
  axis.first.assign(count, 0);
  axis.weights.assign(static_cast<std::size_t>(count) * axis.taps, 0.0F);
  for (std::uint32_t i = 0; i < count; ++i) {
    const double centre = (offset + i + 0.5) * scale;
    const auto low = static_cast<std::uint32_t>(std::max(0.0, std::floor(centre - radius + 0.5)));
    const auto high = static_cast<std::uint32_t>(std::min<double>(from, std::floor(centre + radius + 0.5)));
    // Start where a full run of taps stays inside the source; taps beyond the filter have weight zero.
    const std::uint32_t first = std::min(low, from - axis.taps);
    axis.first[i] = first;
    float* weights = axis.weights.data() + static_cast<std::size_t>(i) * axis.taps;
    double sum = 0;
    for (std::uint32_t j = low; j < high; ++j)
      sum += std::max(0.0, 1.0 - std::abs(j + 0.5 - centre) / radius);
    for (std::uint32_t j = low; j < high; ++j) {
      weights[j - first] = static_cast<float>(std::max(0.0, 1.0 - std::abs(j + 0.5 - centre) / radius) / sum);
    }
  }
}

void plan_crop(const config::Preprocessing& recipe, std::uint32_t width, std::uint32_t height,
               std::uint32_t resolution, ResampleAxis& columns, ResampleAxis& rows) {
  const auto short_side = static_cast<std::uint32_t>(
      std::ceil(static_cast<double>(resolution) / static_cast<double>(recipe.crop_ratio)));
  // torchvision: the long side keeps the aspect ratio, truncated to whole pixels; the crop is centred,
  // rounded.
  const bool wide = width >= height;
  const std::uint64_t long_side =
      static_cast<std::uint64_t>(short_side) * std::max(width, height) / std::min(width, height);
  const auto to_width = static_cast<std::uint32_t>(wide ? long_side : short_side);
  const auto to_height = static_cast<std::uint32_t>(wide ? short_side : long_side);
  const auto margin = [&](std::uint32_t side) {
    return static_cast<std::uint32_t>(std::nearbyint((side - resolution) / 2.0));
  };
  make_axis(width, to_width, margin(to_width), resolution, columns);
  make_axis(height, to_height, margin(to_height), resolution, rows);
}

void Preprocessor::plan(const Geometry& geometry) {
  const std::uint32_t resolution = geometry.resolution;
  plan_crop(recipe_, geometry.width, geometry.height, resolution, columns_, rows_);
  first_column_ = columns_.first.front();
  column_count_ = columns_.first.back() + columns_.taps - first_column_;
  source_row_.resize(3ULL * column_count_);
  ring_.resize(static_cast<std::size_t>(rows_.taps) * 3 * resolution);
  geometry_ = geometry;
}

void Preprocessor::resample(const ImageView& image, std::span<float> out) {
  const std::uint32_t side = geometry_.resolution;
  const std::size_t row_floats = 3ULL * side;
  std::uint32_t done = 0;  // source rows below this are in the ring, as far as they were needed
  for (std::uint32_t y = 0; y < side; ++y) {
    const std::uint32_t first = rows_.first[y];
    for (std::uint32_t source = std::max(done, first); source < first + rows_.taps; ++source) {
      unpack_row(image, source, first_column_, column_count_, source_row_.data());
      float* resized = ring_.data() + (source % rows_.taps) * row_floats;
      for (std::uint32_t channel = 0; channel < 3; ++channel) {
        const float* pixels = source_row_.data() + static_cast<std::size_t>(channel) * column_count_;
        for (std::uint32_t x = 0; x < side; ++x) {
          const float* weights = columns_.weights.data() + static_cast<std::size_t>(x) * columns_.taps;
          const float* from = pixels + (columns_.first[x] - first_column_);
          float sum = 0;
          for (std::uint32_t k = 0; k < columns_.taps; ++k) sum += weights[k] * from[k];
          resized[channel * side + x] = sum;
        }
      }
    }
    done = first + rows_.taps;
    const float* weights = rows_.weights.data() + static_cast<std::size_t>(y) * rows_.taps;
    for (std::uint32_t channel = 0; channel < 3; ++channel) {
      const float gain = 1.0F / (255.0F * recipe_.std[channel]);
      const float shift = -recipe_.mean[channel] / recipe_.std[channel];
      float* target = out.data() + (static_cast<std::size_t>(channel) * side + y) * side;
      std::fill(target, target + side, shift);
      for (std::uint32_t k = 0; k < rows_.taps; ++k) {
        const float weight = weights[k] * gain;
        const float* row =
            ring_.data() + ((first + k) % rows_.taps) * row_floats + static_cast<std::size_t>(channel) * side;
        for (std::uint32_t x = 0; x < side; ++x) target[x] += weight * row[x];
      }
    }
  }
}

Result<void> Preprocessor::run(const ImageView& image, std::uint32_t resolution, std::span<float> out) {
  if (out.size() != 3ULL * resolution * resolution) {
    return Error{ErrorCode::kFailed, "preprocessing into a buffer of the wrong size"};
  }
  if (image.layout.format == PixelFormat::kFloat32Nchw) return copy_normalised(image, resolution, out);
  const Geometry geometry{image.layout.width, image.layout.height, resolution};
  // A sliver of an image scales to a huge long side, of which the crop needs only the middle: no memory
  // depends on it, but its coordinates must stay exact.
  if (geometry != geometry_) plan(geometry);
  resample(image, out);
  return {};
}

}  // namespace dofa::engine
