// SPDX-License-Identifier: Apache-2.0
// Running a plan. An Arena is the working memory of one lane, large enough for every plan it was made for;
// a run touches nothing else, allocates nothing and takes no lock.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/engine/kernels/plan.hpp"
#include "daemon/engine/kernels/team.hpp"

namespace dofa::engine::kernels {

/// Working memory of one run at a time, on `workers` threads. Not thread-safe; movable.
class Arena {
 public:
  explicit Arena(const ArenaSizes& sizes, int worker_count = 1);

  [[nodiscard]] std::size_t bytes() const { return memory_.bytes(); }
  [[nodiscard]] bool fits(const ArenaSizes& sizes) const;

  /// What each thread has for itself.
  struct Worker {
    float* ring = nullptr;
    float* strip = nullptr;
    float* image = nullptr;
    int image_rows = 0;                 ///< of the image, fetched so far
    const BlockStep* padded = nullptr;  ///< whose padding lies in the ring
  };

  float* features[2];
  float* mid;
  float* vectors[3];
  float* scaled;
  std::vector<Worker> workers;

 private:
  ArenaSizes sizes_;
  FloatBuffer memory_;
};

/// Where a run's time went, for measurements: nanoseconds and multiply-adds per kind of kernel.
struct Timing {
  enum Kind { kConv, kExpand, kDepthwise, kSqueezeExcite, kProject, kPointwise, kLinear, kKinds };
  struct Sum {
    std::int64_t ns = 0;
    std::int64_t macs = 0;
  };
  std::array<Sum, kKinds> kinds;
  static const char* name(Kind kind);
};

/// Runs `plan` on a planar image of plan.input() ([channels][height][width]), with the help of `team`. The
/// answer lies in the arena and is valid until its next run; it does not depend on the number of threads.
/// kInvalidArgument when the image holds infinities or not-a-numbers, or when sizes don't fit. `timing` not
/// null: adds where the time went (single-threaded runs only).
Result<std::span<const float>> run(const Plan& plan, Arena& arena, Team& team, std::span<const float> image,
                                   Timing* timing = nullptr);
/// The same on the calling thread alone.
Result<std::span<const float>> run(const Plan& plan, Arena& arena, std::span<const float> image,
                                   Timing* timing = nullptr);

}  // namespace dofa::engine::kernels
