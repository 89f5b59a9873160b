// SPDX-License-Identifier: Apache-2.0
// Weights in the layout that makes the kernels elastic. Output channels lie in blocks of 16 and within a
// block each input channel is one row of 16, so a layer with fewer output channels is a prefix of the blocks
// and one with fewer input channels a prefix of the rows: a sub-network reads the supernet's weights in place
// and never copies them.
//   pointwise, linear  [out/16][in][16]
//   convolution        [out/16][in][k][k][16]
//   depthwise          [channels/16][k][k][16]
// Lanes past the last channel are zero. The views below are plain pointers into a WeightStore, which must
// outlive them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "daemon/engine/kernels/memory.hpp"

namespace dofa::engine::kernels {

inline constexpr int kBlock = 16;  ///< channels in a block, on every target

[[nodiscard]] constexpr int blocks_of(int channels) {
  return (channels + kBlock - 1) / kBlock;
}

/// How a matrix is stored. Half precision halves what a frame must stream through the layers with a single
/// pixel.
enum class Precision : std::uint8_t { kFloat, kHalf };

/// A dense matrix: pointwise convolution or linear layer.
struct MatrixWeights {
  const void* data = nullptr;  ///< float, or IEEE half as uint16_t
  int out_channels = 0;        ///< stored; a layer may use fewer
  int in_channels = 0;
  Precision precision = Precision::kFloat;
};

struct ConvWeights {
  const float* data = nullptr;
  int out_channels = 0;
  int in_channels = 0;
  int kernel = 0;
};

struct DepthwiseWeights {
  const float* data = nullptr;
  int channels = 0;
  int kernel = 0;
};

/// Owns packed weights. Filled by one thread; afterwards read-only and shared by all.
class WeightStore {
 public:
  /// `values` is [out][in], as PyTorch keeps it (trailing 1x1 dimensions dropped); or, with `columns` (at
  /// least `in`), a larger matrix with so many columns of which the first rows and columns are taken.
  MatrixWeights add_matrix(std::span<const float> values, int out, int in,
                           Precision precision = Precision::kFloat, int columns = 0);
  /// `values` is [out][in][k][k].
  ConvWeights add_conv(std::span<const float> values, int out, int in, int kernel);
  /// `values` is [channels][1][k][k].
  DepthwiseWeights add_depthwise(std::span<const float> values, int channels, int kernel);

  [[nodiscard]] std::size_t bytes() const;
  /// mlocks everything; false where the system refuses.
  [[nodiscard]] bool lock() const;

 private:
  float* allocate(std::size_t count);

  std::vector<FloatBuffer> slabs_;
  std::size_t used_ = 0;  ///< floats handed out from the last slab
};

}  // namespace dofa::engine::kernels
