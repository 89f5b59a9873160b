// SPDX-License-Identifier: Apache-2.0
// A plan is one sub-network made ready to run: the layers grouped into the few steps that the kernels fuse,
// with every size and pointer worked out. It holds its own scale and bias values (100-200 KiB) and points
// into shared weights, so that serving another sub-network is choosing another plan. Immutable once built:
// any number of threads may run it, each with its own Arena. The WeightStore behind its layers must outlive
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/engine/kernels/layers.hpp"
#include "daemon/engine/kernels/table.hpp"

namespace dofa::engine::kernels {

/// Working memory of one run, in floats per region.
struct ArenaSizes {
  std::size_t features = 0;  ///< each of the two feature maps between steps
  std::size_t mid = 0;       ///< output of a block's depthwise convolution
  std::size_t ring = 0;      ///< padded rows that a depthwise convolution reads, each thread's
  std::size_t strip = 0;     ///< its output where that is a strip at a time, each thread's
  std::size_t image = 0;     ///< padded rows of the image, each thread's
  std::size_t vector = 0;    ///< each of the vectors after pooling and inside squeeze-and-excite
  std::size_t scaled = 0;    ///< a project layer's weights multiplied by the gates

  /// Large enough for both.
  void merge(const ArenaSizes& other);
};

struct Shape {
  int channels = 0;
  int height = 0;
  int width = 0;
  [[nodiscard]] std::size_t pixels() const { return static_cast<std::size_t>(height) * width; }
  [[nodiscard]] std::size_t floats() const { return pixels() * blocks_of(channels) * kBlock; }
};

/// A matrix with its epilogue.
struct DenseStep {
  const void* weights = nullptr;
  std::size_t weight_block = 0;  ///< elements between blocks of output channels
  Precision precision = Precision::kFloat;
  int in_channels = 0;
  int out_channels = 0;
  Epilogue epilogue;
  [[nodiscard]] const float* floats() const { return static_cast<const float*>(weights); }
};

enum class Producer : std::uint8_t { kConv, kPointwise, kCopy };
enum class Residual : std::uint8_t { kNone, kInput, kProduced };

/// [conv | pointwise | copy] → depthwise → [squeeze-and-excite] → [pointwise], rows flowing through a ring.
/// Groups of channels are independent up to the depthwise output.
struct BlockStep {
  Producer producer = Producer::kCopy;
  Shape in;        ///< feature map or image that the block reads
  Shape produced;  ///< what the depthwise convolution reads
  Shape mid;       ///< what it writes
  Shape out;
  DenseStep first;  ///< the producer's weights; for kConv [out/16][in * k * k][16]
  int conv_kernel = 0;
  int conv_stride = 0;
  int conv_pad_before = 0;
  int conv_pad_after = 0;
  DepthwiseArgs depthwise;  ///< what does not change from run to run
  bool gated = false;
  DenseStep reduce;
  DenseStep expand;
  bool projected = false;
  DenseStep project;
  Residual residual = Residual::kNone;
  int group_blocks = 0;       ///< blocks of channels that share a ring
  int strip_rows = 0;         ///< depthwise output rows made before the next group (or strip) has its turn
  bool strips_outer = false;  ///< each strip runs through all groups, each with its own ring, and on through
                              ///< the project layer
};

/// A 1x1 convolution by itself, pooled where a global pool follows.
struct PointwiseStep {
  Shape in;
  Shape out;
  DenseStep dense;
  bool residual = false;
  bool pooled = false;
};

struct LinearStep {
  DenseStep dense;
};

using Step = std::variant<BlockStep, PointwiseStep, LinearStep>;

class Plan {
 public:
  /// A plan for an image of `input` (channels, height, width). kNotSupported names the layer where the
  /// kernels lack something (channel counts that are no multiple of 8, other kernel sizes or orders of
  /// layers, images beyond 1024 pixels a side); kInvalidArgument where the layers contradict each other or
  /// their weights.
  static Result<Plan> build(const std::vector<Layer>& layers, Shape input);

  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  [[nodiscard]] Shape input() const { return input_; }
  [[nodiscard]] int outputs() const { return outputs_; }
  [[nodiscard]] std::int64_t macs() const { return macs_; }
  [[nodiscard]] const ArenaSizes& arena() const { return arena_; }
  /// What this sub-network holds beside the shared weights.
  [[nodiscard]] std::size_t bytes() const { return values_.bytes(); }

 private:
  friend class PlanBuilder;
  std::vector<Step> steps_;
  FloatBuffer values_;  ///< every scale and bias
  Shape input_;
  int outputs_ = 0;
  std::int64_t macs_ = 0;
  ArenaSizes arena_;
};

}  // namespace dofa::engine::kernels
