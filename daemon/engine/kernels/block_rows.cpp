// SPDX-License-Identifier: Apache-2.0
// How rows flow through a block: produced into the ring, filtered out of it, projected.
#include <algorithm>
#include <cstring>

#include "daemon/engine/kernels/step_runner.hpp"

namespace dofa::engine::kernels {
namespace {
constexpr int kMaxImageRows = 64;  ///< channels * kernel rows of the first layer, at most 4 * 7

/// The produced row behind the last that depthwise output rows before `row` need.
int rows_needed(const BlockStep& step, int row) {
  const DepthwiseArgs& d = step.depthwise;
  return std::clamp((row - 1) * d.stride - d.pad_before + d.kernel, 0, d.in_height);
}
}  // namespace

/// The worker's own memory, with the ring's columns left and right of the plane zeroed; nothing writes those
/// afterwards.
Arena::Worker& StepRunner::prepare(const BlockStep& step, int worker) {
  Arena::Worker& own = arena_.workers[static_cast<std::size_t>(worker)];
  if (own.padded == &step) return own;
  own.padded = &step;
  const DepthwiseArgs& d = step.depthwise;
  const std::size_t left = static_cast<std::size_t>(d.pad_before) * kBlock;
  const std::size_t right = left + static_cast<std::size_t>(step.produced.width) * kBlock;
  const int blocks = step.strips_outer ? blocks_of(step.mid.channels) : step.group_blocks;
  for (int row = 0; row < blocks * d.ring_rows; ++row) {
    float* line = own.ring + row * d.ring_row;
    std::fill_n(line, left, 0.0f);
    std::fill(line + right, line + d.ring_row, 0.0f);
  }
  return own;
}

/// Copies image rows up to `end` into the padded rows that the first layer reads, and checks that they are
/// finite.
void StepRunner::fetch_image_rows(const BlockStep& step, Arena::Worker& own, int end) {
  const auto width = static_cast<std::size_t>(step.in.width);
  const std::size_t pitch = width + step.conv_pad_before + step.conv_pad_after + kBlock;
  for (; own.image_rows < end; ++own.image_rows) {
    for (int c = 0; c < step.in.channels; ++c) {
      float* line =
          own.image +
          (static_cast<std::size_t>(c) * step.conv_kernel + own.image_rows % step.conv_kernel) * pitch;
      std::fill_n(line, step.conv_pad_before, 0.0f);
      const float* from = image_ + (static_cast<std::size_t>(c) * step.in.height + own.image_rows) * width;
      if (!kernels_.copy_finite(from, line + step.conv_pad_before, width))
        finite_.store(false, std::memory_order_relaxed);
      std::fill(line + step.conv_pad_before + width, line + pitch, 0.0f);
    }
  }
}

void StepRunner::produce_conv(const BlockStep& step, Arena::Worker& own, float* ring, int first_row,
                              int last_row) {
  const DepthwiseArgs& d = step.depthwise;
  const int k = step.conv_kernel;
  const std::size_t pitch =
      static_cast<std::size_t>(step.in.width) + step.conv_pad_before + step.conv_pad_after + kBlock;
  const float* rows[kMaxImageRows];
  ConvArgs a;
  a.rows = rows;
  a.in_channels = step.in.channels;
  a.kernel = k;
  a.stride = step.conv_stride;
  a.weights = step.first.floats();
  a.out_blocks = blocks_of(step.produced.channels);
  a.epilogue = step.first.epilogue;
  a.width = step.produced.width;
  a.out_block = d.ring_block;
  for (int y = first_row; y < last_row; ++y) {
    const int top = y * step.conv_stride - step.conv_pad_before;
    fetch_image_rows(step, own, std::min(top + k, step.in.height));
    for (int c = 0; c < step.in.channels; ++c) {
      for (int ky = 0; ky < k; ++ky) {
        const int row = top + ky;
        const bool inside = row >= 0 && row < step.in.height;
        rows[c * k + ky] = inside ? own.image + static_cast<std::size_t>(c * k + row % k) * pitch : nullptr;
      }
    }
    a.out = ring + static_cast<std::size_t>(y % d.ring_rows) * d.ring_row +
            static_cast<std::size_t>(d.pad_before) * kBlock;
    kernels_.conv(a);
  }
}

/// Fills ring rows [first_row, last_row) of `blocks` blocks of channels.
void StepRunner::produce(const BlockStep& step, Arena::Worker& own, int block, int blocks, float* ring,
                         int first_row, int last_row) {
  const DepthwiseArgs& d = step.depthwise;
  const auto width = static_cast<std::size_t>(step.produced.width);
  const std::int64_t pixels = static_cast<std::int64_t>(last_row - first_row) * step.produced.width;
  if (step.producer == Producer::kConv) {
    const Stopwatch watch(timing_, Timing::kConv, pixels * step.produced.channels * step.first.in_channels);
    return produce_conv(step, own, ring, first_row, last_row);
  }
  const int channels = std::min(step.produced.channels - block * kBlock, blocks * kBlock);
  const Stopwatch watch(timing_, Timing::kExpand,
                        step.producer == Producer::kPointwise ? pixels * channels * step.in.channels : 0);
  while (first_row < last_row) {
    // Rows until the ring wraps round.
    const int slot = first_row % d.ring_rows;
    const int rows = std::min(last_row - first_row, d.ring_rows - slot);
    float* to = ring + slot * d.ring_row + static_cast<std::size_t>(d.pad_before) * kBlock;
    const float* from = input() + static_cast<std::size_t>(first_row) * width * kBlock;
    if (step.producer == Producer::kCopy) {
      for (int b = 0; b < blocks; ++b) {
        for (int r = 0; r < rows; ++r)
          std::memcpy(to + b * d.ring_block + r * d.ring_row,
                      from + ((block + b) * step.in.pixels() + r * width) * kBlock,
                      width * kBlock * sizeof(float));
      }
    } else {
      PointwiseArgs a;
      a.in = from;
      a.in_block = step.in.pixels() * kBlock;
      a.in_channels = step.in.channels;
      a.weights = step.first.floats() + block * step.first.weight_block;
      a.weight_block = step.first.weight_block;
      a.out_blocks = blocks;
      a.epilogue = step.first.epilogue;
      a.epilogue.scale += block * kBlock;
      a.epilogue.bias += block * kBlock;
      a.pixels = rows * step.produced.width;
      a.width = step.produced.width;
      a.out = to;
      a.out_block = d.ring_block;
      a.out_row = d.ring_row;
      kernels_.pointwise(a);
    }
    first_row += rows;
  }
}

/// Depthwise convolution of output rows [first_row, last_row) of `blocks` blocks.
void StepRunner::filter(const BlockStep& step, int block, int blocks, const float* ring, float* out,
                        int first_row, int last_row) {
  DepthwiseArgs a = step.depthwise;
  const int channels = std::min(step.mid.channels - block * kBlock, blocks * kBlock);
  const Stopwatch watch(
      timing_, Timing::kDepthwise,
      static_cast<std::int64_t>(last_row - first_row) * a.width * channels * a.kernel * a.kernel);
  a.ring = ring;
  a.weights += static_cast<std::size_t>(block) * a.kernel * a.kernel * kBlock;
  a.blocks = blocks;
  a.epilogue.scale += block * kBlock;
  a.epilogue.bias += block * kBlock;
  a.first_row = first_row;
  a.last_row = last_row;
  a.out = out;
  a.pool = step.gated ? arena_.vectors[0] + block * kBlock : nullptr;
  kernels_.depthwise(a);
}

/// Project layer over output rows [first_row, last_row), which lie in the worker's strip.
void StepRunner::project_strip(const BlockStep& step, const Arena::Worker& own, int first_row, int last_row) {
  const DepthwiseArgs& d = step.depthwise;
  const auto width = static_cast<std::size_t>(step.out.width);
  const Stopwatch watch(timing_, Timing::kProject,
                        static_cast<std::int64_t>(last_row - first_row) * step.out.width * step.mid.channels *
                            step.out.channels);
  PointwiseArgs a = projection(step, own.strip, d.out_block);
  a.width = step.out.width;
  a.out_row = width * kBlock;
  a.out += first_row * a.out_row;
  if (step.residual == Residual::kInput) {
    a.residual += first_row * a.out_row;
    a.residual_row = a.out_row;
  }
  while (first_row < last_row) {
    int rows = last_row - first_row;
    if (step.residual == Residual::kProduced) {
      // Rows until the ring wraps round.
      const int slot = first_row % d.ring_rows;
      rows = std::min(rows, d.ring_rows - slot);
      a.residual = own.ring + slot * d.ring_row + static_cast<std::size_t>(d.pad_before) * kBlock;
      a.residual_block = d.ring_block;
      a.residual_row = d.ring_row;
    }
    a.pixels = rows * step.out.width;
    kernels_.pointwise(a);
    a.in += rows * a.out_row;
    a.out += rows * a.out_row;
    first_row += rows;
  }
}

/// A group of channels through the whole plane, strip by strip.
void StepRunner::group(const BlockStep& step, Arena::Worker& own, float* mid, int block, int blocks) {
  int produced = 0;
  own.image_rows = 0;
  for (int row = 0; row < step.mid.height; row += step.strip_rows) {
    const int end = std::min(row + step.strip_rows, step.mid.height);
    const int needed = rows_needed(step, end);
    produce(step, own, block, blocks, own.ring, produced, needed);
    produced = needed;
    float* to =
        mid + block * step.depthwise.out_block + static_cast<std::size_t>(row) * step.mid.width * kBlock;
    filter(step, block, blocks, own.ring, to, row, end);
  }
}

/// Output rows [first_row, last_row) through all groups and the project layer, strip by strip.
void StepRunner::strips(const BlockStep& step, Arena::Worker& own, int first_row, int last_row) {
  const DepthwiseArgs& d = step.depthwise;
  const int blocks = blocks_of(step.mid.channels);
  int produced = std::max(0, first_row * d.stride - d.pad_before);
  own.image_rows = std::max(0, produced * step.conv_stride - step.conv_pad_before);
  for (int row = first_row; row < last_row; row += step.strip_rows) {
    const int end = std::min(row + step.strip_rows, last_row);
    const int needed = rows_needed(step, end);
    for (int block = 0; block < blocks; block += step.group_blocks) {
      const int count = std::min(step.group_blocks, blocks - block);
      float* ring = own.ring + block * d.ring_block;
      produce(step, own, block, count, ring, produced, needed);
      filter(step, block, count, ring, own.strip + block * d.out_block, row, end);
    }
    produced = needed;
    project_strip(step, own, row, end);
  }
}

}  // namespace dofa::engine::kernels
