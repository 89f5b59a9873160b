// SPDX-License-Identifier: Apache-2.0
// The shared weights of a Once-for-all MobileNetV3 (Cai et al., ICLR 2020) in the form every executor starts
// from: plain float arrays under names that explain themselves, in the order the layers run, with the 5x5 and
// 3x3 depthwise kernels that the learnt transforms give worked out. All matrices are row-major as PyTorch
// keeps them. Std only; a Supernet is a value, read-only once made, and may be shared between threads.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/config/family.hpp"
#include "daemon/engine/checkpoint/checkpoint.hpp"

namespace dofa::engine {

inline constexpr std::size_t kStages = 5;          ///< elastic stages
inline constexpr std::size_t kBlocksPerStage = 4;  ///< entries an architecture keeps for each stage
inline constexpr float kBatchNormEpsilon = 1e-5F;

enum class Activation : std::uint8_t { kRelu, kHardSwish };  ///< hard-swish: x * clamp(x + 3, 0, 6) / 6

/// The learnt half of a batch normalisation, one value a channel. A sub-network uses a prefix.
struct BatchNorm {
  std::vector<float> weight;
  std::vector<float> bias;
};

/// x * hard_sigmoid(expand(relu(reduce(mean(x))))), hard_sigmoid(y) = clamp(y + 3, 0, 6) / 6. Without
/// channels: absent.
struct SqueezeExcite {
  std::uint32_t channels = 0;        ///< squeezed, at most
  std::vector<float> reduce_weight;  ///< [channels][max_mid_channels]
  std::vector<float> reduce_bias;    ///< [channels]
  std::vector<float> expand_weight;  ///< [max_mid_channels][channels]
  std::vector<float> expand_bias;    ///< [max_mid_channels]
};

/// Expand 1x1, depthwise, squeeze-and-excite, project 1x1, shortcut. The first block is not elastic and
/// expands nothing.
struct SupernetBlock {
  std::uint32_t in_channels = 0;
  std::uint32_t out_channels = 0;
  std::uint32_t max_mid_channels = 0;
  std::uint32_t stride = 1;
  Activation activation = Activation::kRelu;
  bool has_shortcut = false;
  std::vector<float> expand_weight;  ///< [max_mid_channels][in_channels]; empty: no expansion
  BatchNorm expand_norm;
  std::array<std::vector<float>, 3>
      depthwise_weights;  ///< kernel 3, 5, 7: [max_mid_channels][k][k]; empty: not offered
  BatchNorm depthwise_norm;
  SqueezeExcite squeeze_excite;
  std::vector<float> project_weight;  ///< [out_channels][max_mid_channels]
  BatchNorm project_norm;

  /// The weights for kernel size 3, 5 or 7.
  [[nodiscard]] const std::vector<float>& depthwise_weight(std::uint32_t kernel) const {
    return depthwise_weights.at((kernel - 3) / 2);
  }
};

struct Supernet {
  double width = 0;  ///< width multiplier, worked out from the channel counts
  std::uint32_t classes = 0;
  std::uint32_t max_depth = 0;  ///< blocks of each stage
  std::vector<std::uint8_t> kernel_choices, expand_choices,
      depth_choices;  ///< what an architecture may ask for, rising

  std::uint32_t stem_channels = 0;
  std::uint32_t stem_stride = 2;
  std::vector<float> stem_weight;  ///< [stem_channels][3][3][3], hard-swish after its norm
  BatchNorm stem_norm;
  std::vector<SupernetBlock> blocks;  ///< the fixed one, then max_depth for each stage
  std::uint32_t final_channels = 0;
  std::vector<float>
      final_weight;  ///< 1x1: [final_channels][last block's out_channels], hard-swish, then global mean
  BatchNorm final_norm;
  std::uint32_t feature_channels = 0;
  std::vector<float> feature_weight;     ///< [feature_channels][final_channels], hard-swish, no norm
  std::vector<float> classifier_weight;  ///< [classes][feature_channels]
  std::vector<float> classifier_bias;    ///< [classes]
};

/// OFA's rounding of channel counts to a multiple of 8 that loses at most a tenth.
std::uint32_t make_divisible(double channels);

using FloatTensors = std::map<std::string, checkpoint::FloatTensor>;

/// A checkpoint's tensors under one spelling of their names, that of an extracted sub-network
/// ("blocks.1.conv.depth_conv. conv.weight"), as float32: understands `.mobile_inverted_conv.`, `.bn.bn.`,
/// `.conv.conv.`, `.linear.linear.` and a leading `module.`; drops counters. kInvalidArgument: two tensors of
/// one name, or NaN or infinity in one.
Result<FloatTensors> canonical_tensors(const checkpoint::Checkpoint& checkpoint);

/// Checks every shape and builds the supernet. `strides` says what no tensor shows. kInvalidArgument names
/// the tensor that is missing or has the wrong shape.
Result<Supernet> make_supernet(const FloatTensors& tensors, const config::OfaSupernet& strides);

}  // namespace dofa::engine
