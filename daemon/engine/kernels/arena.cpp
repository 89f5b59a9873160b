// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/kernels/arena.hpp"

#include <utility>

namespace dofa::engine::kernels {
namespace {
/// Regions start at whole channel blocks, so that every vector load is aligned.
std::size_t whole_blocks(std::size_t floats) {
  return (floats + kBlock - 1) / kBlock * kBlock;
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
  for (const auto& [pointer, size] : regions) total += whole_blocks(size);
  memory_ = FloatBuffer(total);
  float* at = memory_.data();
  for (const auto& [pointer, size] : regions) {
    *pointer = at;
    at += whole_blocks(size);
  }
}

bool Arena::fits(const ArenaSizes& s) const {
  return s.features <= sizes_.features && s.mid <= sizes_.mid && s.ring <= sizes_.ring &&
         s.strip <= sizes_.strip && s.image <= sizes_.image && s.vector <= sizes_.vector &&
         s.scaled <= sizes_.scaled;
}
}  // namespace dofa::engine::kernels
