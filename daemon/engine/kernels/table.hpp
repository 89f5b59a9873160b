// SPDX-License-Identifier: Apache-2.0
// The kernels as a table of functions, one table per SIMD target. Private to this room: the runner fills the
// argument structs, the targets' code (kernels.cpp and the *-inl.hpp it compiles once per target) does the
// arithmetic. Activations lie in blocks of 16 channels, each block [rows][columns][16] of floats; strides are
// counted in floats. Nothing here allocates, locks or keeps state.
#pragma once

#include <cstddef>
#include <cstdint>

#include "daemon/engine/kernels/weights.hpp"

namespace dofa::engine::kernels {

/// What is done to a sum before it is stored: y = clamp(scale * sum + bias, low, high); hard_swish: y = v *
/// clamp(v / 6 + 1/2, 0, 1) with v = scale * sum + bias. scale and bias point to whole blocks.
struct Epilogue {
  const float* scale = nullptr;
  const float* bias = nullptr;
  float low = 0;
  float high = 0;
  bool hard_swish = false;
};

/// 1x1 convolution of `pixels` pixels that lie contiguously in the input. Output pixel p is written at
/// out + (p / width) * out_row + (p % width) * 16: a padded plane is written directly.
struct PointwiseArgs {
  const float* in = nullptr;
  std::size_t in_block = 0;
  int in_channels = 0;
  const float* weights = nullptr;
  std::size_t weight_block = 0;
  int out_blocks = 0;
  Epilogue epilogue;
  int pixels = 0;
  int width = 0;
  float* out = nullptr;
  std::size_t out_block = 0;
  std::size_t out_row = 0;
  const float* residual = nullptr;  ///< added after the activation; null: none
  std::size_t residual_block = 0;
  std::size_t residual_row = 0;
  float* pool =
      nullptr;  ///< not null: sums over the pixels are added here ([out_blocks][16]) and nothing is stored
};

/// Depthwise convolution of rows [first_row, last_row) of the output. Input row y lies in ring slot y %
/// ring_rows, with pad_before zero pixels before its first and enough zeros behind its last pixel; rows
/// outside [0, in_height) are padding.
struct DepthwiseArgs {
  const float* ring = nullptr;
  std::size_t ring_block = 0;
  std::size_t ring_row = 0;
  int ring_rows = 0;
  int in_height = 0;
  int pad_before = 0;
  int kernel = 0;  ///< 3, 5 or 7
  int stride = 0;  ///< 1 or 2
  const float* weights = nullptr;
  int blocks = 0;
  Epilogue epilogue;
  int first_row = 0;
  int last_row = 0;
  int width = 0;         ///< of the output
  float* out = nullptr;  ///< row first_row, contiguous rows
  std::size_t out_block = 0;
  float* pool = nullptr;  ///< not null: sums are added here too ([blocks][16])
};

/// One output row of a dense k x k convolution over planar input. rows[c * kernel + ky] is the padded input
/// row that output column 0 starts at, or null where it lies in the padding.
struct ConvArgs {
  const float* const* rows = nullptr;
  int in_channels = 0;
  int kernel = 0;
  int stride = 0;
  const float* weights = nullptr;
  int out_blocks = 0;
  Epilogue epilogue;
  int width = 0;
  float* out = nullptr;
  std::size_t out_block = 0;
};

/// y = epilogue(W x) for one vector.
struct LinearArgs {
  const float* in = nullptr;
  int in_channels = 0;
  const void* weights = nullptr;
  std::size_t weight_block = 0;  ///< in elements
  Precision precision = Precision::kFloat;
  int out_blocks = 0;
  Epilogue epilogue;
  float* out = nullptr;
};

/// Multiplies each channel of [blocks][pixels][16] by its gate, in place.
struct GateArgs {
  float* data = nullptr;
  std::size_t block = 0;
  int blocks = 0;
  int pixels = 0;
  const float* gates = nullptr;
};

/// scaled[ob][c][16] = weights[ob][c][16] * gates[c].
struct GateWeightsArgs {
  const float* weights = nullptr;
  std::size_t weight_block = 0;
  int in_channels = 0;
  int out_blocks = 0;
  const float* gates = nullptr;
  float* scaled = nullptr;
};

struct KernelTable {
  void (*pointwise)(const PointwiseArgs&);
  void (*depthwise)(const DepthwiseArgs&);
  void (*conv)(const ConvArgs&);
  void (*linear)(const LinearArgs&);
  void (*gate)(const GateArgs&);
  void (*gate_weights)(const GateWeightsArgs&);
  /// Copies a row of `count` floats; false when one of them is infinite or not a number.
  bool (*copy_finite)(const float* from, float* to, std::size_t count);
};

/// The table of the target in use.
[[nodiscard]] const KernelTable& kernel_table();

}  // namespace dofa::engine::kernels
