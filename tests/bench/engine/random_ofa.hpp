// SPDX-License-Identifier: Apache-2.0
// Once-for-all networks to measure with: supernets of random weights under a checkpoint's names, the
// architectures that the design names, and batch statistics for them. Time does not depend on the values;
// they are scaled so that signals keep their size.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/config/family.hpp"
#include "daemon/engine/ofa_model.hpp"

namespace dofa::bench {

struct NamedNet {
  std::string name;  ///< "<architecture>-w<width>", e.g. "paper3-w1.2", "smallest-w1.0"
  double width = 1;
  config::OfaArchitecture architecture;
  std::uint32_t resolution = 0;
};

/// The nets of `dofa-bench engine`: smallest, middle, largest and the paper's six levels, at width 1.0
/// and 1.2.
std::vector<NamedNet> named_nets();
/// A random architecture of kernels 3, 5, 7, ratios 3, 4, 6 and depths 2-4, at 128-224 pixels.
NamedNet random_net(double width, unsigned seed);

/// A supernet of random weights with 1000 classes.
engine::Supernet random_supernet(double width);

/// A model whose levels are `nets`, all of one width; `calibrated`: with batch statistics of their own (takes
/// seconds), for answers that can be compared. These functions throw std::runtime_error: random nets are
/// always right.
std::shared_ptr<const engine::OfaModel> random_model(const std::vector<NamedNet>& nets, bool calibrated);

/// Writes the calibrated model as a family's folder, which must exist, for `dofa-model export`.
void write_random_family(const std::vector<NamedNet>& nets, const std::string& directory);

}  // namespace dofa::bench
