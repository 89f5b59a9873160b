// SPDX-License-Identifier: Apache-2.0
// A sub-network told to an exporter operator by operator, in the order it runs, with batch normalisation
// folded into the convolutions. Each operator names the value it makes; exporters turn the calls into their
// format. Std only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/engine/subnet.hpp"

namespace dofa::tool {

/// Weights and bias of a convolution, padded by kernel / 2 on every side.
struct FoldedConv {
  std::int64_t out_channels = 0;
  std::int64_t in_channels = 0;  ///< of each group
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t groups = 1;
  std::vector<float> weight;  ///< [out_channels][in_channels][kernel][kernel]
  std::vector<float> bias;    ///< [out_channels]; empty: none
};

enum class Unary : std::uint8_t { kRelu, kHardSwish, kHardSigmoid, kGlobalMean };
enum class Binary : std::uint8_t { kAdd, kMultiply };

/// Where the operators go. Values are names that the exporter chooses.
class GraphSink {
 public:
  virtual ~GraphSink() = default;
  virtual std::string conv(const std::string& x, const FoldedConv& conv) = 0;
  virtual std::string unary(Unary kind, const std::string& x) = 0;
  virtual std::string binary(Binary kind, const std::string& a, const std::string& b) = 0;
  /// Flattens x (N, features, 1, 1) and applies weight [classes][features] and bias [classes].
  virtual std::string linear(const std::string& x, const std::vector<float>& weight,
                             const std::vector<float>& bias) = 0;
};

/// Tells the whole sub-network, which must have its statistics; returns the name of the logits.
std::string emit_graph(const engine::Supernet& supernet, const engine::Subnet& subnet,
                       const std::string& input, GraphSink& sink);

}  // namespace dofa::tool
