// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/kernels/run.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace dofa::engine::kernels {
namespace {
constexpr int kMaxImageRows = 64;  ///< channels * kernel rows of the first layer, at most 4 * 7

std::size_t padded(std::size_t floats) {
  return (floats + kBlock - 1) / kBlock * kBlock;
}

/// Adds the time until it is destroyed to a kind; does nothing without a Timing.
class Stopwatch {
 public:
  Stopwatch(Timing* timing, Timing::Kind kind, std::int64_t macs) : timing_(timing), kind_(kind) {
    if (timing_ == nullptr) return;
    timing_->kinds[kind].macs += macs;
    start_ = std::chrono::steady_clock::now();
  }
  ~Stopwatch() {
    if (timing_ == nullptr) return;
    const auto elapsed = std::chrono::steady_clock::now() - start_;
    timing_->kinds[kind_].ns += std::chrono::duration_cast<std::chrono::nanoseconds>(elapsed).count();
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  Timing* timing_;
  Timing::Kind kind_;
  std::chrono::steady_clock::time_point start_;
};

/// One run of one plan. `input` and `output` of a step are the arena's two feature maps in turn.
class Run {
 public:
  Run(Arena& arena, const float* image, Timing* timing)
      : arena_(arena), image_(image), timing_(timing), kernels_(kernel_table()) {}

  void operator()(const BlockStep& step);
  void operator()(const PointwiseStep& step);
  void operator()(const LinearStep& step);

  [[nodiscard]] bool finite() const { return finite_; }
  [[nodiscard]] const float* vector() const { return arena_.vectors[vector_]; }

 private:
  const float* input() const { return arena_.features[current_]; }
  float* output() { return arena_.features[1 - current_]; }

  void clear_padding(const BlockStep& step);
  void produce(const BlockStep& step, int block, int blocks, float* ring, int first_row, int last_row);
  void produce_conv(const BlockStep& step, float* ring, int first_row, int last_row);
  void fetch_image_rows(const BlockStep& step, int end);
  void filter(const BlockStep& step, int block, int blocks, const float* ring, float* out, int first_row,
              int last_row);
  void project(const BlockStep& step, const float* mid, const float* weights, std::size_t weight_block,
               int first_row, int last_row);
  void groups_outer(const BlockStep& step, float* mid);
  void strips_outer(const BlockStep& step, float* mid);
  void gate(const BlockStep& step, float* mid, const float*& weights, std::size_t& weight_block);
  void apply(const DenseStep& step, const float* in, float* out, Timing::Kind kind);

  Arena& arena_;
  const float* image_;
  Timing* timing_;
  const KernelTable& kernels_;
  int current_ = 0;
  int vector_ = 0;
  int image_rows_ = 0;  ///< fetched so far
  bool finite_ = true;
};

/// Zeroes the ring's columns left and right of the plane; nothing writes them afterwards.
void Run::clear_padding(const BlockStep& step) {
  const DepthwiseArgs& d = step.depthwise;
  const std::size_t left = static_cast<std::size_t>(d.pad_before) * kBlock;
  const std::size_t right = left + static_cast<std::size_t>(step.produced.width) * kBlock;
  const int blocks = step.strips_outer ? blocks_of(step.mid.channels) : step.group_blocks;
  for (int row = 0; row < blocks * d.ring_rows; ++row) {
    float* line = arena_.ring + row * d.ring_row;
    std::fill_n(line, left, 0.0f);
    std::fill(line + right, line + d.ring_row, 0.0f);
  }
}

/// Copies image rows up to `end` into the padded rows that the first layer reads, and checks that they are
/// finite.
void Run::fetch_image_rows(const BlockStep& step, int end) {
  const auto width = static_cast<std::size_t>(step.in.width);
  const std::size_t pitch = width + step.conv_pad_before + step.conv_pad_after + kBlock;
  for (; image_rows_ < end; ++image_rows_) {
    for (int c = 0; c < step.in.channels; ++c) {
      float* line = arena_.image +
                    (static_cast<std::size_t>(c) * step.conv_kernel + image_rows_ % step.conv_kernel) * pitch;
      std::fill_n(line, step.conv_pad_before, 0.0f);
      const float* from = image_ + (static_cast<std::size_t>(c) * step.in.height + image_rows_) * width;
      finite_ &= kernels_.copy_finite(from, line + step.conv_pad_before, width);
      std::fill(line + step.conv_pad_before + width, line + pitch, 0.0f);
    }
  }
}

void Run::produce_conv(const BlockStep& step, float* ring, int first_row, int last_row) {
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
    fetch_image_rows(step, std::min(top + k, step.in.height));
    for (int c = 0; c < step.in.channels; ++c) {
      for (int ky = 0; ky < k; ++ky) {
        const int row = top + ky;
        const bool inside = row >= 0 && row < step.in.height;
        rows[c * k + ky] =
            inside ? arena_.image + static_cast<std::size_t>(c * k + row % k) * pitch : nullptr;
      }
    }
    a.out = ring + static_cast<std::size_t>(y % d.ring_rows) * d.ring_row +
            static_cast<std::size_t>(d.pad_before) * kBlock;
    kernels_.conv(a);
  }
}

/// Fills ring rows [first_row, last_row) of `blocks` blocks of channels.
void Run::produce(const BlockStep& step, int block, int blocks, float* ring, int first_row, int last_row) {
  const DepthwiseArgs& d = step.depthwise;
  const auto width = static_cast<std::size_t>(step.produced.width);
  const std::int64_t pixels = static_cast<std::int64_t>(last_row - first_row) * step.produced.width;
  if (step.producer == Producer::kConv) {
    const Stopwatch watch(timing_, Timing::kConv, pixels * step.produced.channels * step.first.in_channels);
    return produce_conv(step, ring, first_row, last_row);
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
void Run::filter(const BlockStep& step, int block, int blocks, const float* ring, float* out, int first_row,
                 int last_row) {
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

/// Project layer over output rows [first_row, last_row); `mid` points to first_row.
void Run::project(const BlockStep& step, const float* mid, const float* weights, std::size_t weight_block,
                  int first_row, int last_row) {
  const DepthwiseArgs& d = step.depthwise;
  const auto width = static_cast<std::size_t>(step.out.width);
  PointwiseArgs a;
  a.in = mid;
  a.in_block = d.out_block;
  a.in_channels = step.mid.channels;
  a.weights = weights;
  a.weight_block = weight_block;
  a.out_blocks = blocks_of(step.out.channels);
  a.epilogue = step.project.epilogue;
  a.width = step.out.width;
  a.out_block = step.out.pixels() * kBlock;
  a.out_row = width * kBlock;
  const Stopwatch watch(
      timing_, Timing::kProject,
      static_cast<std::int64_t>(last_row - first_row) * step.out.width * a.in_channels * step.out.channels);
  while (first_row < last_row) {
    int rows = last_row - first_row;
    a.out = output() + static_cast<std::size_t>(first_row) * width * kBlock;
    if (step.residual == Residual::kInput) {
      a.residual = input() + static_cast<std::size_t>(first_row) * width * kBlock;
      a.residual_block = step.in.pixels() * kBlock;
      a.residual_row = width * kBlock;
    } else if (step.residual == Residual::kProduced) {
      const int slot = first_row % d.ring_rows;
      rows = std::min(rows, d.ring_rows - slot);
      a.residual = arena_.ring + slot * d.ring_row + static_cast<std::size_t>(d.pad_before) * kBlock;
      a.residual_block = d.ring_block;
      a.residual_row = d.ring_row;
    }
    a.pixels = rows * step.out.width;
    kernels_.pointwise(a);
    a.in += static_cast<std::size_t>(rows) * width * kBlock;
    first_row += rows;
  }
}

/// Produced rows that depthwise output rows up to `row` need.
int rows_needed(const BlockStep& step, int row) {
  const DepthwiseArgs& d = step.depthwise;
  return std::clamp((row - 1) * d.stride - d.pad_before + d.kernel, 0, d.in_height);
}

void Run::groups_outer(const BlockStep& step, float* mid) {
  const int blocks = blocks_of(step.mid.channels);
  for (int block = 0; block < blocks; block += step.group_blocks) {
    const int count = std::min(step.group_blocks, blocks - block);
    int produced = 0;
    for (int row = 0; row < step.mid.height; row += step.strip_rows) {
      const int end = std::min(row + step.strip_rows, step.mid.height);
      const int needed = rows_needed(step, end);
      produce(step, block, count, arena_.ring, produced, needed);
      produced = needed;
      filter(step, block, count, arena_.ring,
             mid + block * step.depthwise.out_block + static_cast<std::size_t>(row) * step.mid.width * kBlock,
             row, end);
    }
  }
}

void Run::strips_outer(const BlockStep& step, float* mid) {
  const int blocks = blocks_of(step.mid.channels);
  int produced = 0;
  for (int row = 0; row < step.mid.height; row += step.strip_rows) {
    const int end = std::min(row + step.strip_rows, step.mid.height);
    const int needed = rows_needed(step, end);
    for (int block = 0; block < blocks; block += step.group_blocks) {
      const int count = std::min(step.group_blocks, blocks - block);
      float* ring = arena_.ring + block * step.depthwise.ring_block;
      produce(step, block, count, ring, produced, needed);
      filter(step, block, count, ring, mid + block * step.depthwise.out_block, row, end);
    }
    produced = needed;
    project(step, mid, step.project.floats(), step.project.weight_block, row, end);
  }
}

/// Works the gates out and multiplies them into the activations or the project weights, whichever are fewer.
void Run::gate(const BlockStep& step, float* mid, const float*& weights, std::size_t& weight_block) {
  float* pool = arena_.vectors[0];
  float* gates = arena_.vectors[2];
  const float mean = 1.0f / static_cast<float>(step.mid.pixels());
  for (int c = 0; c < step.mid.channels; ++c) pool[c] *= mean;
  apply(step.reduce, pool, arena_.vectors[1], Timing::kSqueezeExcite);
  apply(step.expand, arena_.vectors[1], gates, Timing::kSqueezeExcite);
  const Stopwatch watch(timing_, Timing::kSqueezeExcite, 0);
  const int out_blocks = step.projected ? blocks_of(step.out.channels) : 0;
  if (step.projected && static_cast<std::size_t>(out_blocks) * kBlock < step.mid.pixels()) {
    kernels_.gate_weights({weights, weight_block, step.mid.channels, out_blocks, gates, arena_.scaled});
    weights = arena_.scaled;
    weight_block = static_cast<std::size_t>(step.mid.channels) * kBlock;
  } else {
    kernels_.gate({mid, step.depthwise.out_block, blocks_of(step.mid.channels),
                   static_cast<int>(step.mid.pixels()), gates});
  }
}

void Run::apply(const DenseStep& step, const float* in, float* out, Timing::Kind kind) {
  const Stopwatch watch(timing_, kind, static_cast<std::int64_t>(step.in_channels) * step.out_channels);
  kernels_.linear({in, step.in_channels, step.weights, step.weight_block, step.precision,
                   blocks_of(step.out_channels), step.epilogue, out});
}

void Run::operator()(const BlockStep& step) {
  float* mid = step.projected ? arena_.mid : output();
  clear_padding(step);
  if (step.gated) std::fill_n(arena_.vectors[0], blocks_of(step.mid.channels) * kBlock, 0.0f);
  if (step.strips_outer) {
    strips_outer(step, mid);
  } else {
    groups_outer(step, mid);
    const float* weights = step.project.floats();
    std::size_t weight_block = step.project.weight_block;
    if (step.gated) gate(step, mid, weights, weight_block);
    if (step.projected) project(step, mid, weights, weight_block, 0, step.out.height);
  }
  current_ = 1 - current_;
}

void Run::operator()(const PointwiseStep& step) {
  const std::size_t plane = step.in.pixels() * kBlock;
  PointwiseArgs a;
  a.in = input();
  a.in_block = plane;
  a.in_channels = step.in.channels;
  a.weights = step.dense.floats();
  a.weight_block = step.dense.weight_block;
  a.out_blocks = blocks_of(step.out.channels);
  a.epilogue = step.dense.epilogue;
  a.pixels = static_cast<int>(step.in.pixels());
  a.width = a.pixels;
  a.out = output();
  a.out_block = plane;
  a.out_row = plane;
  if (step.residual) {
    a.residual = input();
    a.residual_block = plane;
    a.residual_row = plane;
  }
  if (step.pooled) {
    a.pool = arena_.vectors[0];
    std::fill_n(a.pool, a.out_blocks * kBlock, 0.0f);
  }
  const Stopwatch watch(timing_, Timing::kPointwise,
                        static_cast<std::int64_t>(a.pixels) * a.in_channels * step.out.channels);
  kernels_.pointwise(a);
  current_ = 1 - current_;
  if (!step.pooled) return;
  const float mean = 1.0f / static_cast<float>(step.in.pixels());
  for (int c = 0; c < step.out.channels; ++c) a.pool[c] *= mean;
}

void Run::operator()(const LinearStep& step) {
  apply(step.dense, arena_.vectors[vector_], arena_.vectors[1 - vector_], Timing::kLinear);
  vector_ = 1 - vector_;
}
}  // namespace

Arena::Arena(const ArenaSizes& sizes) : sizes_(sizes) {
  const std::size_t regions[] = {sizes.features, sizes.features, sizes.mid,    sizes.ring,  sizes.image,
                                 sizes.vector,   sizes.vector,   sizes.vector, sizes.scaled};
  std::size_t total = 0;
  for (const std::size_t region : regions) total += padded(region);
  memory_ = FloatBuffer(total);
  float** const pointers[] = {&features[0], &features[1], &mid,        &ring,  &image,
                              &vectors[0],  &vectors[1],  &vectors[2], &scaled};
  float* at = memory_.data();
  for (std::size_t i = 0; i < std::size(regions); ++i) {
    *pointers[i] = at;
    at += padded(regions[i]);
  }
}

bool Arena::fits(const ArenaSizes& s) const {
  return s.features <= sizes_.features && s.mid <= sizes_.mid && s.ring <= sizes_.ring &&
         s.image <= sizes_.image && s.vector <= sizes_.vector && s.scaled <= sizes_.scaled;
}

const char* Timing::name(Kind kind) {
  static constexpr const char* kNames[kKinds] = {"conv",    "expand",    "depthwise", "squeeze-excite",
                                                 "project", "pointwise", "linear"};
  return kNames[kind];
}

Result<std::span<const float>> run(const Plan& plan, Arena& arena, std::span<const float> image,
                                   Timing* timing) {
  const Shape in = plan.input();
  if (image.size() != in.pixels() * in.channels)
    return Error{ErrorCode::kInvalidArgument, "image of another size than the network's"};
  if (!arena.fits(plan.arena())) return Error{ErrorCode::kInvalidArgument, "arena made for smaller networks"};
  Run state(arena, image.data(), timing);
  for (const Step& step : plan.steps()) {
    std::visit(state, step);
    if (!state.finite())
      return Error{ErrorCode::kInvalidArgument, "the input holds infinities or not-a-numbers"};
  }
  return std::span<const float>(state.vector(), static_cast<std::size_t>(plan.outputs()));
}

}  // namespace dofa::engine::kernels
