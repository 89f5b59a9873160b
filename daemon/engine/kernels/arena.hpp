// SPDX-License-Identifier: Apache-2.0
// The working memory of one lane, large enough for every plan it was made for. Fixed once made: a run
// allocates nothing.
#pragma once

#include <vector>

#include "daemon/engine/kernels/memory.hpp"
#include "daemon/engine/kernels/plan.hpp"

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

}  // namespace dofa::engine::kernels
