// SPDX-License-Identifier: Apache-2.0
// A sub-network cut out of a supernet as Once-for-all does it: for each block that stays, how many of the
// sorted middle channels, which depthwise kernel, how much of squeeze-and-excite; and its own batch
// statistics. Weights stay in the supernet: an executor reads prefixes of its arrays. Std only; values,
// read-only once made.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/config/family.hpp"
#include "daemon/engine/supernet.hpp"

namespace dofa::engine {

/// Batch statistics of one normalised layer, one value a channel; the variance is the biased one.
struct Moments {
  std::vector<float> mean;
  std::vector<float> variance;
  bool operator==(const Moments&) const = default;
};

/// Moments by the module name of the layer in the extracted sub-network, where blocks are numbered without
/// gaps: "first_conv.bn", "blocks.3.conv.depth_conv.bn", …
using Statistics = std::map<std::string, Moments>;

struct SubnetBlock {
  std::size_t source = 0;  ///< index in Supernet::blocks
  std::uint32_t kernel = 3;
  std::uint32_t mid_channels = 0;      ///< the first so many of the supernet block's
  std::uint32_t squeeze_channels = 0;  ///< 0: no squeeze-and-excite
  Moments expand, depthwise, project;  ///< expand stays empty in the first block
};

struct Subnet {
  Moments stem;
  std::vector<SubnetBlock> blocks;
  Moments final_expand;
};

/// Cuts the architecture out, without statistics. kInvalidArgument names the entry the supernet does not
/// offer.
Result<Subnet> extract_subnet(const Supernet& supernet, const config::OfaArchitecture& architecture);

/// One normalised layer of a sub-network.
struct NormLayer {
  std::string name;  ///< as in Statistics
  std::uint32_t channels = 0;
  Moments* moments = nullptr;
};
/// All normalised layers in the order they run.
std::vector<NormLayer> norm_layers(const Supernet& supernet, Subnet& subnet);

/// Gives every layer its moments; kInvalidArgument names the layer that lacks them or has another channel
/// count, or a negative or non-finite value. Names that are no layer's are refused too: they belong to
/// another architecture.
Result<void> set_statistics(const Supernet& supernet, Subnet& subnet, const Statistics& statistics);

/// Between Statistics and the tensors they are stored as: "<module>.running_mean", "<module>.running_var".
/// Other names are refused (kInvalidArgument).
FloatTensors statistics_tensors(const Statistics& statistics);
Result<Statistics> parse_statistics(const FloatTensors& tensors);

/// Multiply-accumulates of one frame of 3 x resolution x resolution, convolutions and linear layers alone.
std::uint64_t count_macs(const Supernet& supernet, const Subnet& subnet, std::uint32_t resolution);
/// Learnt parameters, batch normalisation's included.
std::uint64_t count_parameters(const Supernet& supernet, const Subnet& subnet);

}  // namespace dofa::engine
