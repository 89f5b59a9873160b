// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/kernels/run.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

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

/// Work below this many multiply-adds is not worth handing to another thread.
constexpr std::int64_t kShareMacs = 100'000;
constexpr int kTileBlocks = 2;    ///< blocks of output channels that a pointwise kernel works on together
constexpr int kTilePixels = 14;   ///< pixels in its widest tile
constexpr int kLinearBlocks = 4;  ///< blocks of outputs that the linear kernel works on together

/// One run of one plan. A step reads input() and writes output(), the arena's two feature maps in turn.
class Run {
 public:
  Run(Arena& arena, const float* image, Team& team, Timing* timing)
      : arena_(arena), image_(image), team_(team), timing_(timing), kernels_(kernel_table()) {
    for (Arena::Worker& worker : arena_.workers) worker.padded = nullptr;
  }

  void operator()(const BlockStep& step);
  void operator()(const PointwiseStep& step);
  void operator()(const LinearStep& step);

  [[nodiscard]] bool finite() const { return finite_.load(std::memory_order_relaxed); }
  [[nodiscard]] const float* vector() const { return arena_.vectors[vector_]; }

 private:
  const float* input() const { return arena_.features[current_]; }
  float* output() { return arena_.features[1 - current_]; }

  Arena::Worker& prepare(const BlockStep& step, int worker);
  void produce(const BlockStep& step, Arena::Worker& own, int block, int blocks, float* ring, int first_row,
               int last_row);
  void produce_conv(const BlockStep& step, Arena::Worker& own, float* ring, int first_row, int last_row);
  void fetch_image_rows(const BlockStep& step, Arena::Worker& own, int end);
  void filter(const BlockStep& step, int block, int blocks, const float* ring, float* out, int first_row,
              int last_row);
  PointwiseArgs projection(const BlockStep& step, const float* mid, std::size_t mid_block);
  void project_strip(const BlockStep& step, const Arena::Worker& own, int first_row, int last_row);
  void group(const BlockStep& step, Arena::Worker& own, float* mid, int block, int blocks);
  void strips(const BlockStep& step, Arena::Worker& own, int first_row, int last_row);
  void gate(const BlockStep& step, float* mid, PointwiseArgs& projection);
  void pointwise(const PointwiseArgs& whole);
  void apply(const DenseStep& step, const float* in, float* out, Timing::Kind kind);

  Arena& arena_;
  const float* image_;
  Team& team_;
  Timing* timing_;
  const KernelTable& kernels_;
  int current_ = 0;
  int vector_ = 0;
  std::atomic<bool> finite_{true};
};

/// The worker's own memory, with the ring's columns left and right of the plane zeroed; nothing writes those
/// afterwards.
Arena::Worker& Run::prepare(const BlockStep& step, int worker) {
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
void Run::fetch_image_rows(const BlockStep& step, Arena::Worker& own, int end) {
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

void Run::produce_conv(const BlockStep& step, Arena::Worker& own, float* ring, int first_row, int last_row) {
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
void Run::produce(const BlockStep& step, Arena::Worker& own, int block, int blocks, float* ring,
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

/// What the project layer does with all of `mid`.
PointwiseArgs Run::projection(const BlockStep& step, const float* mid, std::size_t mid_block) {
  PointwiseArgs a;
  a.in = mid;
  a.in_block = mid_block;
  a.in_channels = step.mid.channels;
  a.weights = step.project.floats();
  a.weight_block = step.project.weight_block;
  a.out_blocks = blocks_of(step.out.channels);
  a.epilogue = step.project.epilogue;
  a.pixels = a.width = static_cast<int>(step.out.pixels());
  a.out = output();
  a.out_block = a.out_row = step.out.pixels() * kBlock;
  if (step.residual == Residual::kInput) {
    a.residual = input();
    a.residual_block = a.residual_row = a.out_block;
  }
  return a;
}

/// Project layer over output rows [first_row, last_row), which lie in the worker's strip.
void Run::project_strip(const BlockStep& step, const Arena::Worker& own, int first_row, int last_row) {
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

/// The produced row behind the last that depthwise output rows before `row` need.
int rows_needed(const BlockStep& step, int row) {
  const DepthwiseArgs& d = step.depthwise;
  return std::clamp((row - 1) * d.stride - d.pad_before + d.kernel, 0, d.in_height);
}

/// A group of channels through the whole plane, strip by strip.
void Run::group(const BlockStep& step, Arena::Worker& own, float* mid, int block, int blocks) {
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
void Run::strips(const BlockStep& step, Arena::Worker& own, int first_row, int last_row) {
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

/// Works the gates out and multiplies them into the activations or the project weights, whichever are fewer.
void Run::gate(const BlockStep& step, float* mid, PointwiseArgs& projection) {
  float* pool = arena_.vectors[0];
  float* gates = arena_.vectors[2];
  const float mean = 1.0f / static_cast<float>(step.mid.pixels());
  for (int c = 0; c < step.mid.channels; ++c) pool[c] *= mean;
  apply(step.reduce, pool, arena_.vectors[1], Timing::kSqueezeExcite);
  apply(step.expand, arena_.vectors[1], gates, Timing::kSqueezeExcite);
  const Stopwatch watch(timing_, Timing::kSqueezeExcite, 0);
  const auto pixels = static_cast<int>(step.mid.pixels());
  if (step.projected && projection.out_blocks * kBlock < pixels) {
    kernels_.gate_weights({projection.weights, projection.weight_block, step.mid.channels,
                           projection.out_blocks, gates, arena_.scaled});
    projection.weights = arena_.scaled;
    projection.weight_block = static_cast<std::size_t>(step.mid.channels) * kBlock;
  } else {
    kernels_.gate({mid, step.depthwise.out_block, blocks_of(step.mid.channels), pixels, gates});
  }
}

/// A whole pointwise layer over contiguous planes, shared out by output channels or, where those are few, by
/// pixels.
void Run::pointwise(const PointwiseArgs& whole) {
  const std::int64_t macs =
      static_cast<std::int64_t>(whole.pixels) * whole.in_channels * whole.out_blocks * kBlock;
  if (team_.workers() == 1 || macs < kShareMacs) return kernels_.pointwise(whole);
  const int groups = (whole.out_blocks + kTileBlocks - 1) / kTileBlocks;
  if (whole.pool != nullptr || groups >= 2 * team_.workers()) {
    team_.for_each(groups, [&](int unit, int) {
      PointwiseArgs a = whole;
      const int block = unit * kTileBlocks;
      a.weights += block * a.weight_block;
      a.out_blocks = std::min(kTileBlocks, whole.out_blocks - block);
      a.epilogue.scale += block * kBlock;
      a.epilogue.bias += block * kBlock;
      a.out += block * a.out_block;
      if (a.residual != nullptr) a.residual += block * a.residual_block;
      if (a.pool != nullptr) a.pool += block * kBlock;
      kernels_.pointwise(a);
    });
    return;
  }
  const int shares = 2 * team_.workers();
  const int tiles = (whole.pixels + kTilePixels - 1) / kTilePixels;
  const int share = (tiles + shares - 1) / shares * kTilePixels;
  team_.for_each((whole.pixels + share - 1) / share, [&](int unit, int) {
    PointwiseArgs a = whole;
    const int first = unit * share;
    a.pixels = a.width = std::min(share, whole.pixels - first);
    a.in += static_cast<std::size_t>(first) * kBlock;
    a.out += static_cast<std::size_t>(first) * kBlock;
    if (a.residual != nullptr) a.residual += static_cast<std::size_t>(first) * kBlock;
    kernels_.pointwise(a);
  });
}

void Run::apply(const DenseStep& step, const float* in, float* out, Timing::Kind kind) {
  const std::int64_t macs = static_cast<std::int64_t>(step.in_channels) * step.out_channels;
  const Stopwatch watch(timing_, kind, macs);
  const int blocks = blocks_of(step.out_channels);
  const int share =
      team_.workers() == 1 || macs < kShareMacs
          ? blocks
          : (blocks / (2 * team_.workers()) + kLinearBlocks - 1) / kLinearBlocks * kLinearBlocks;
  const std::size_t bytes = step.precision == Precision::kHalf ? sizeof(std::uint16_t) : sizeof(float);
  team_.for_each((blocks + share - 1) / share, [&](int unit, int) {
    const int block = unit * share;
    LinearArgs a{in,
                 step.in_channels,
                 step.weights,
                 step.weight_block,
                 step.precision,
                 std::min(share, blocks - block),
                 step.epilogue,
                 out + block * kBlock};
    a.weights = static_cast<const char*>(step.weights) + block * step.weight_block * bytes;
    a.epilogue.scale += block * kBlock;
    a.epilogue.bias += block * kBlock;
    kernels_.linear(a);
  });
}

void Run::operator()(const BlockStep& step) {
  if (step.strips_outer) {
    const int shares = std::min(team_.workers(), step.out.height);
    team_.for_each(shares, [&](int unit, int worker) {
      strips(step, prepare(step, worker), step.out.height * unit / shares,
             step.out.height * (unit + 1) / shares);
    });
  } else {
    float* mid = step.projected ? arena_.mid : output();
    const int blocks = blocks_of(step.mid.channels);
    if (step.gated) std::fill_n(arena_.vectors[0], blocks * kBlock, 0.0f);
    team_.for_each((blocks + step.group_blocks - 1) / step.group_blocks, [&](int unit, int worker) {
      const int block = unit * step.group_blocks;
      group(step, prepare(step, worker), mid, block, std::min(step.group_blocks, blocks - block));
    });
    PointwiseArgs a;
    if (step.projected) a = projection(step, mid, step.depthwise.out_block);
    if (step.gated) gate(step, mid, a);
    if (step.projected) {
      const Stopwatch watch(
          timing_, Timing::kProject,
          static_cast<std::int64_t>(step.out.pixels()) * step.mid.channels * step.out.channels);
      pointwise(a);
    }
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
  a.pixels = a.width = static_cast<int>(step.in.pixels());
  a.out = output();
  a.out_block = a.out_row = plane;
  if (step.residual) {
    a.residual = input();
    a.residual_block = a.residual_row = plane;
  }
  if (step.pooled) {
    a.pool = arena_.vectors[0];
    std::fill_n(a.pool, a.out_blocks * kBlock, 0.0f);
  }
  {
    const Stopwatch watch(timing_, Timing::kPointwise,
                          static_cast<std::int64_t>(a.pixels) * a.in_channels * step.out.channels);
    pointwise(a);
  }
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

Arena::Arena(const ArenaSizes& sizes, int worker_count)
    : workers(static_cast<std::size_t>(worker_count)), sizes_(sizes) {
  std::vector<std::pair<float**, std::size_t>> regions = {
      {&features[0], sizes.features}, {&features[1], sizes.features}, {&mid, sizes.mid},
      {&vectors[0], sizes.vector},    {&vectors[1], sizes.vector},    {&vectors[2], sizes.vector},
      {&scaled, sizes.scaled},
  };
  for (Worker& worker : workers) {
    regions.insert(regions.end(),
                   {{&worker.ring, sizes.ring}, {&worker.strip, sizes.strip}, {&worker.image, sizes.image}});
  }
  std::size_t total = 0;
  for (const auto& [pointer, size] : regions) total += padded(size);
  memory_ = FloatBuffer(total);
  float* at = memory_.data();
  for (const auto& [pointer, size] : regions) {
    *pointer = at;
    at += padded(size);
  }
}

bool Arena::fits(const ArenaSizes& s) const {
  return s.features <= sizes_.features && s.mid <= sizes_.mid && s.ring <= sizes_.ring &&
         s.strip <= sizes_.strip && s.image <= sizes_.image && s.vector <= sizes_.vector &&
         s.scaled <= sizes_.scaled;
}

const char* Timing::name(Kind kind) {
  static constexpr const char* kNames[kKinds] = {"conv",    "expand",    "depthwise", "squeeze-excite",
                                                 "project", "pointwise", "linear"};
  return kNames[kind];
}

Result<std::span<const float>> run(const Plan& plan, Arena& arena, Team& team, std::span<const float> image,
                                   Timing* timing) {
  const Shape in = plan.input();
  if (image.size() != in.pixels() * in.channels)
    return Error{ErrorCode::kInvalidArgument, "image of another size than the network's"};
  if (!arena.fits(plan.arena()) || static_cast<int>(arena.workers.size()) < team.workers())
    return Error{ErrorCode::kInvalidArgument, "arena made for smaller networks or fewer threads"};
  Run state(arena, image.data(), team, timing);
  for (const Step& step : plan.steps()) {
    std::visit(state, step);
    if (!state.finite())
      return Error{ErrorCode::kInvalidArgument, "the input holds infinities or not-a-numbers"};
  }
  return std::span<const float>(state.vector(), static_cast<std::size_t>(plan.outputs()));
}

Result<std::span<const float>> run(const Plan& plan, Arena& arena, std::span<const float> image,
                                   Timing* timing) {
  Team alone(1);
  return run(plan, arena, alone, image, timing);
}

}  // namespace dofa::engine::kernels
