// SPDX-License-Identifier: Apache-2.0
#include "models/train/space.hpp"

namespace dofa::train {
namespace {

std::uint64_t splitmix(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

config::OfaArchitecture uniform(std::uint8_t kernel, std::uint8_t ratio, std::uint8_t depth) {
  config::OfaArchitecture architecture;
  architecture.kernel_sizes.fill(kernel);
  architecture.expand_ratios.fill(ratio);
  architecture.depths.fill(depth);
  return architecture;
}

constexpr std::uint8_t kMinDepth = 2;
constexpr std::uint64_t kResolutionDraw = 1'000'000;  // apart from the sub-networks' numbers

}  // namespace

std::uint64_t mix(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  std::uint64_t state = a;
  state = splitmix(state) ^ b;
  state = splitmix(state) ^ c;
  return splitmix(state);
}

config::OfaArchitecture largest(const Space& space) {
  return uniform(space.kernel_sizes.back(), space.expand_ratios.back(), space.max_depth);
}

config::OfaArchitecture smallest(const Space& space) {
  return uniform(space.kernel_sizes.front(), space.expand_ratios.front(), kMinDepth);
}

config::OfaArchitecture random_architecture(const Space& space, std::uint64_t seed, std::uint64_t step,
                                            std::uint64_t draw) {
  std::uint64_t state = mix(seed, step, draw);
  config::OfaArchitecture architecture;
  for (auto& kernel : architecture.kernel_sizes)
    kernel = space.kernel_sizes[splitmix(state) % space.kernel_sizes.size()];
  for (auto& ratio : architecture.expand_ratios)
    ratio = space.expand_ratios[splitmix(state) % space.expand_ratios.size()];
  for (auto& depth : architecture.depths)
    depth = static_cast<std::uint8_t>(kMinDepth + splitmix(state) % (space.max_depth - kMinDepth + 1U));
  return architecture;
}

std::uint32_t random_resolution(const Space& space, std::size_t offered, std::uint64_t seed,
                                std::uint64_t step) {
  return space.resolutions[mix(seed, step, kResolutionDraw) % offered];
}

}  // namespace dofa::train
