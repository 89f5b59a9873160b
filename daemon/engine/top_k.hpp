// SPDX-License-Identifier: Apache-2.0
// From logits to the best classes. Stateless; allocates nothing.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

namespace dofa::engine {

struct TopClass {
  std::uint32_t index = 0;
  float probability = 0;  ///< softmax over all classes, 0..1
};

/// Fills `top` with the classes of the highest logits, best first (the lower index first among equals), and
/// returns how many there are: min(top.size(), logits.size()).
inline std::size_t top_classes(std::span<const float> logits, std::span<TopClass> top) {
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < logits.size(); ++i) {
    if (count == top.size() && (count == 0 || logits[i] <= top[count - 1].probability)) continue;
    std::size_t at = count < top.size() ? count++ : count - 1;
    for (; at > 0 && top[at - 1].probability < logits[i]; --at) top[at] = top[at - 1];
    top[at] = {i, logits[i]};
  }
  if (count == 0) return 0;
  const float highest = top[0].probability;
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit - highest));
  for (TopClass& entry : top.first(count)) {
    entry.probability = static_cast<float>(std::exp(static_cast<double>(entry.probability - highest)) / sum);
  }
  return count;
}

}  // namespace dofa::engine
