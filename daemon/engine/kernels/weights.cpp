// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/kernels/weights.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace dofa::engine::kernels {
namespace {
constexpr std::size_t kSlab = std::size_t{1} << 20;  // floats: 4 MiB, two huge pages

/// IEEE binary16, rounded to nearest even; too large becomes infinity.
std::uint16_t half_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000;
  const std::uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x47800000)
    return static_cast<std::uint16_t>(sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00));
  if (magnitude < 0x38800000) {
    // Subnormal half: adding 0.5 lines the mantissa up with the last bit of a half, and rounds.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000));
  }
  const std::uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000) >> 13));
}
}  // namespace

float* WeightStore::allocate(std::size_t count) {
  count = (count + kBlock - 1) / kBlock * kBlock;
  if (slabs_.empty() || slabs_.back().size() - used_ < count) {
    slabs_.emplace_back(std::max(count, kSlab));
    used_ = 0;
  }
  float* data = slabs_.back().data() + used_;
  used_ += count;
  return data;
}

MatrixWeights WeightStore::add_matrix(std::span<const float> values, int out, int in, Precision precision,
                                      int columns) {
  const auto pitch = static_cast<std::size_t>(columns == 0 ? in : columns);
  assert(pitch >= static_cast<std::size_t>(in) && values.size() >= (out - 1) * pitch + in);
  const std::size_t count = static_cast<std::size_t>(blocks_of(out)) * in * kBlock;
  const bool half = precision == Precision::kHalf;
  float* data = allocate(half ? (count + 1) / 2 : count);
  auto* halves = reinterpret_cast<std::uint16_t*>(data);
  std::size_t at = 0;
  for (int first = 0; first < out; first += kBlock) {
    const float* rows = values.data() + static_cast<std::size_t>(first) * pitch;
    const auto lanes = static_cast<std::size_t>(std::min(kBlock, out - first));
    for (int i = 0; i < in; ++i, at += kBlock) {
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const float value = rows[lane * pitch + static_cast<std::size_t>(i)];
        if (half)
          halves[at + lane] = half_of(value);
        else
          data[at + lane] = value;
      }
    }
  }
  return {data, out, in, precision};
}

ConvWeights WeightStore::add_conv(std::span<const float> values, int out, int in, int kernel) {
  // To the packing a convolution is a matrix with a column for each tap.
  const MatrixWeights matrix = add_matrix(values, out, in * kernel * kernel);
  return {static_cast<const float*>(matrix.data), out, in, kernel};
}

DepthwiseWeights WeightStore::add_depthwise(std::span<const float> values, int channels, int kernel) {
  const MatrixWeights matrix = add_matrix(values, channels, kernel * kernel);
  return {static_cast<const float*>(matrix.data), channels, kernel};
}

std::size_t WeightStore::bytes() const {
  std::size_t total = 0;
  for (const FloatBuffer& slab : slabs_) total += slab.bytes();
  return total;
}

bool WeightStore::lock() const {
  return std::all_of(slabs_.begin(), slabs_.end(), [](const FloatBuffer& slab) { return slab.lock(); });
}

}  // namespace dofa::engine::kernels
