// SPDX-License-Identifier: Apache-2.0
// Running a plan. An Arena is the working memory of one worker, large enough for every plan it was made for;
// a run touches nothing else, allocates nothing and takes no lock.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "daemon/base.hpp"
#include "daemon/engine/kernels/plan.hpp"

namespace dofa::engine::kernels {

/// Working memory of one worker. Not thread-safe; movable.
class Arena {
 public:
  explicit Arena(const ArenaSizes& sizes);

  [[nodiscard]] std::size_t bytes() const { return memory_.bytes(); }
  [[nodiscard]] bool fits(const ArenaSizes& sizes) const;

  float* features[2];
  float* mid;
  float* ring;
  float* image;
  float* vectors[3];
  float* scaled;

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

/// Runs `plan` on a planar image of plan.input() ([channels][height][width]). The answer lies in the arena
/// and is valid until its next run. kInvalidArgument when the image holds infinities or not-a-numbers, or
/// when sizes don't fit. `timing` not null: adds where the time went (and takes a few per cent longer).
Result<std::span<const float>> run(const Plan& plan, Arena& arena, std::span<const float> image,
                                   Timing* timing = nullptr);

}  // namespace dofa::engine::kernels
