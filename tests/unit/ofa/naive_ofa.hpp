// SPDX-License-Identifier: Apache-2.0
// A Once-for-all MobileNetV3 written a second time, naively: direct loops in double precision, straight from
// the tensors of a checkpoint, sharing nothing with the engine but their names. What the engine computes is
// held against it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/config/family.hpp"
#include "daemon/engine/subnet.hpp"
#include "daemon/engine/supernet.hpp"

namespace dofa::engine::test {

/// Images or feature maps, [count][channels][side][side].
struct Maps {
  int count = 0;
  int channels = 0;
  int side = 0;
  std::vector<double> values;

  Maps(int n, int c, int s)
      : count(n), channels(c), side(s), values(static_cast<std::size_t>(n) * c * s * s) {}
  double& at(int n, int c, int y, int x) {
    return values[((static_cast<std::size_t>(n) * channels + c) * side + y) * side + x];
  }
  double at(int n, int c, int y, int x) const {
    return values[((static_cast<std::size_t>(n) * channels + c) * side + y) * side + x];
  }
};

/// A supernet's tensors with random values of a sensible size: 5 stages of 4 blocks, 10 classes, tiny channel
/// counts; the third and fourth stage are as wide as each other, so that a first block has a shortcut too.
FloatTensors random_tensors(unsigned seed);
config::OfaArchitecture random_architecture(unsigned seed);
/// The published network's strides for even seeds, those of small images for odd ones.
config::OfaSupernet strides_of(unsigned seed);
/// Random moments for every normalised layer of the architecture.
Statistics random_statistics(const Supernet& supernet, const config::OfaArchitecture& architecture,
                             unsigned seed);
/// Images of standard normal values.
Maps random_images(int count, int side, unsigned seed);

/// Logits, [count][classes]. With `batch_statistics` every layer normalises with its batch's own moments,
/// which are stored there; otherwise with `statistics`.
std::vector<double> run_naively(const FloatTensors& tensors, const config::OfaArchitecture& architecture,
                                const config::OfaSupernet& strides, const Maps& images,
                                const Statistics& statistics, Statistics* batch_statistics = nullptr);

}  // namespace dofa::engine::test
