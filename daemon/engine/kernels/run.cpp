// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/kernels/run.hpp"

#include <time.h>

#include <algorithm>
#include <variant>

#include "daemon/engine/kernels/step_runner.hpp"

namespace dofa::engine::kernels {
namespace {
/// Work below this many multiply-adds is not worth handing to another thread.
constexpr std::int64_t kShareMacs = 100'000;
constexpr int kTileBlocks = 2;    ///< blocks of output channels that a pointwise kernel works on together
constexpr int kTilePixels = 14;   ///< pixels in its widest tile
constexpr int kLinearBlocks = 4;  ///< blocks of outputs that the linear kernel works on together
}  // namespace

/// What the project layer does with all of `mid`.
PointwiseArgs StepRunner::projection(const BlockStep& step, const float* mid, std::size_t mid_block) {
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

/// Works the gates out and multiplies them into the activations or the project weights, whichever are fewer.
void StepRunner::gate(const BlockStep& step, float* mid, PointwiseArgs& projection) {
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
void StepRunner::pointwise(const PointwiseArgs& whole) {
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

void StepRunner::apply(const DenseStep& step, const float* in, float* out, Timing::Kind kind) {
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

void StepRunner::operator()(const BlockStep& step) {
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

void StepRunner::operator()(const PointwiseStep& step) {
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

void StepRunner::operator()(const LinearStep& step) {
  apply(step.dense, arena_.vectors[vector_], arena_.vectors[1 - vector_], Timing::kLinear);
  vector_ = 1 - vector_;
}

const char* Timing::name(Kind kind) {
  static constexpr const char* kNames[kKinds] = {"conv",    "expand",    "depthwise", "squeeze-excite",
                                                 "project", "pointwise", "linear"};
  return kNames[kind];
}

namespace {
/// Runs every step; `after_step` hears of each that is done.
template <class AfterStep>
Result<std::span<const float>> run_steps(const Plan& plan, Arena& arena, Team& team,
                                         std::span<const float> image, Timing* timing,
                                         const AfterStep& after_step) {
  const Shape in = plan.input();
  if (image.size() != in.pixels() * in.channels)
    return Error{ErrorCode::kInvalidArgument, "image of another size than the network's"};
  if (!arena.fits(plan.arena()) || static_cast<int>(arena.workers.size()) < team.workers())
    return Error{ErrorCode::kInvalidArgument, "arena made for smaller networks or fewer threads"};
  StepRunner runner(arena, image.data(), team, timing);
  for (const Step& step : plan.steps()) {
    std::visit(runner, step);
    if (!runner.finite())
      return Error{ErrorCode::kInvalidArgument, "the input holds infinities or not-a-numbers"};
    after_step();
  }
  return std::span<const float>(runner.vector(), static_cast<std::size_t>(plan.outputs()));
}
}  // namespace

Result<std::span<const float>> run(const Plan& plan, Arena& arena, Team& team, std::span<const float> image,
                                   Timing* timing) {
  return run_steps(plan, arena, team, image, timing, [] {});
}

Result<std::span<const float>> run(const Plan& plan, Arena& arena, std::span<const float> image,
                                   Timing* timing) {
  Team alone(1);
  return run(plan, arena, alone, image, timing);
}

std::int64_t thread_time_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

Result<std::span<const float>> run_timed(const Plan& plan, Arena& arena, std::span<const float> image,
                                         std::span<std::int64_t> step_ns) {
  if (step_ns.size() != plan.steps().size())
    return Error{ErrorCode::kInvalidArgument, "as many times are needed as there are steps"};
  Team alone(1);
  std::size_t step = 0;
  std::int64_t last = thread_time_ns();
  return run_steps(plan, arena, alone, image, nullptr, [&] {
    const std::int64_t now = thread_time_ns();
    step_ns[step++] += now - last;
    last = now;
  });
}

}  // namespace dofa::engine::kernels
