// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/subnet.hpp"

#include <algorithm>
#include <cmath>

namespace dofa::engine {
namespace {

constexpr std::string_view kMeanSuffix = ".running_mean";
constexpr std::string_view kVarianceSuffix = ".running_var";

Error invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

bool offers(const std::vector<std::uint8_t>& choices, std::uint8_t value) {
  return std::ranges::find(choices, value) != choices.end();
}

std::string list(const std::vector<std::uint8_t>& choices) {
  std::string text;
  for (const std::uint8_t choice : choices) text += (text.empty() ? "" : ", ") + std::to_string(choice);
  return text;
}

Error not_offered(const char* what, std::size_t index, std::uint8_t value,
                  const std::vector<std::uint8_t>& choices) {
  return invalid(std::string(what) + " " + std::to_string(value) + " at position " +
                 std::to_string(index + 1) + " is not offered by this supernet (" + list(choices) + ")");
}

/// Side of a feature map behind a convolution with padding kernel/2 and this stride.
std::uint64_t strided(std::uint64_t side, std::uint32_t stride) {
  return (side + stride - 1) / stride;
}

}  // namespace

Result<Subnet> extract_subnet(const Supernet& supernet, const config::OfaArchitecture& architecture) {
  Subnet subnet;
  const SupernetBlock& fixed = supernet.blocks.front();
  subnet.blocks.push_back({0, 3, fixed.max_mid_channels, 0, {}, {}, {}});
  for (std::size_t stage = 0; stage < kStages; ++stage) {
    const std::uint8_t depth = architecture.depths[stage];
    if (!offers(supernet.depth_choices, depth))
      return not_offered("depth", stage, depth, supernet.depth_choices);
    for (std::size_t i = 0; i < depth; ++i) {
      const std::size_t entry = stage * kBlocksPerStage + i;
      const std::uint8_t kernel = architecture.kernel_sizes[entry];
      const std::uint8_t ratio = architecture.expand_ratios[entry];
      if (!offers(supernet.kernel_choices, kernel))
        return not_offered("kernel size", entry, kernel, supernet.kernel_choices);
      if (!offers(supernet.expand_choices, ratio))
        return not_offered("expand ratio", entry, ratio, supernet.expand_choices);
      SubnetBlock block;
      block.source = 1 + stage * supernet.max_depth + i;
      block.kernel = kernel;
      const SupernetBlock& source = supernet.blocks[block.source];
      block.mid_channels = make_divisible(static_cast<double>(source.in_channels) * ratio);
      if (source.squeeze_excite.channels != 0)
        block.squeeze_channels = make_divisible(block.mid_channels / 4);
      subnet.blocks.push_back(std::move(block));
    }
  }
  return subnet;
}

std::vector<NormLayer> norm_layers(const Supernet& supernet, Subnet& subnet) {
  std::vector<NormLayer> layers{{"first_conv.bn", supernet.stem_channels, &subnet.stem}};
  for (std::size_t i = 0; i < subnet.blocks.size(); ++i) {
    SubnetBlock& block = subnet.blocks[i];
    const SupernetBlock& source = supernet.blocks[block.source];
    const std::string name = "blocks." + std::to_string(i) + ".conv.";
    if (!source.expand_weight.empty())
      layers.push_back({name + "inverted_bottleneck.bn", block.mid_channels, &block.expand});
    layers.push_back({name + "depth_conv.bn", block.mid_channels, &block.depthwise});
    layers.push_back({name + "point_linear.bn", source.out_channels, &block.project});
  }
  layers.push_back({"final_expand_layer.bn", supernet.final_channels, &subnet.final_expand});
  return layers;
}

Result<void> set_statistics(const Supernet& supernet, Subnet& subnet, const Statistics& statistics) {
  const std::vector<NormLayer> layers = norm_layers(supernet, subnet);
  for (const NormLayer& layer : layers) {
    const auto found = statistics.find(layer.name);
    if (found == statistics.end()) return invalid("statistics of '" + layer.name + "' are missing");
    const Moments& moments = found->second;
    if (moments.mean.size() != layer.channels || moments.variance.size() != layer.channels)
      return invalid("statistics of '" + layer.name + "' are of " + std::to_string(moments.mean.size()) +
                     " channels where the sub-network has " + std::to_string(layer.channels));
    const auto is_finite = [](float value) { return std::isfinite(value); };
    const auto is_variance = [](float value) { return std::isfinite(value) && value >= 0; };
    if (!std::ranges::all_of(moments.mean, is_finite) || !std::ranges::all_of(moments.variance, is_variance))
      return invalid("statistics of '" + layer.name + "' hold a negative variance, NaN or infinity");
    *layer.moments = moments;
  }
  if (statistics.size() != layers.size())
    return invalid("statistics hold " + std::to_string(statistics.size()) +
                   " layers where the sub-network has " + std::to_string(layers.size()));
  return {};
}

FloatTensors statistics_tensors(const Statistics& statistics) {
  FloatTensors tensors;
  for (const auto& [name, moments] : statistics) {
    const std::vector<std::int64_t> shape{static_cast<std::int64_t>(moments.mean.size())};
    tensors[name + std::string(kMeanSuffix)] = {shape, moments.mean};
    tensors[name + std::string(kVarianceSuffix)] = {shape, moments.variance};
  }
  return tensors;
}

Result<Statistics> parse_statistics(const FloatTensors& tensors) {
  Statistics statistics;
  for (const auto& [name, tensor] : tensors) {
    if (name.ends_with(kMeanSuffix))
      statistics[name.substr(0, name.size() - kMeanSuffix.size())].mean = tensor.values;
    else if (name.ends_with(kVarianceSuffix))
      statistics[name.substr(0, name.size() - kVarianceSuffix.size())].variance = tensor.values;
    else
      return invalid("tensor '" + name + "' is no batch statistic");
  }
  return statistics;
}

std::uint64_t count_macs(const Supernet& supernet, const Subnet& subnet, std::uint32_t resolution) {
  std::uint64_t side = strided(resolution, supernet.stem_stride);
  std::uint64_t macs = supernet.stem_weight.size() * side * side;
  for (const SubnetBlock& block : subnet.blocks) {
    const SupernetBlock& source = supernet.blocks[block.source];
    const std::uint64_t mid = block.mid_channels;
    if (!source.expand_weight.empty()) macs += side * side * source.in_channels * mid;
    side = strided(side, source.stride);
    macs += side * side * mid * (block.kernel * block.kernel + source.out_channels);
    macs += 2 * mid * block.squeeze_channels;
  }
  const std::uint64_t last = supernet.blocks.back().out_channels;
  macs += side * side * last * supernet.final_channels;
  return macs + supernet.feature_weight.size() + supernet.classifier_weight.size();
}

std::uint64_t count_parameters(const Supernet& supernet, const Subnet& subnet) {
  std::uint64_t parameters = supernet.stem_weight.size() + 2 * supernet.stem_channels;
  for (const SubnetBlock& block : subnet.blocks) {
    const SupernetBlock& source = supernet.blocks[block.source];
    const std::uint64_t mid = block.mid_channels;
    if (!source.expand_weight.empty()) parameters += mid * source.in_channels + 2 * mid;
    parameters += mid * block.kernel * block.kernel + 2 * mid;
    if (block.squeeze_channels != 0)
      parameters += 2 * mid * block.squeeze_channels + mid + block.squeeze_channels;
    parameters += mid * source.out_channels + 2 * source.out_channels;
  }
  return parameters + supernet.final_weight.size() + 2 * supernet.final_channels +
         supernet.feature_weight.size() + supernet.classifier_weight.size() + supernet.classifier_bias.size();
}

}  // namespace dofa::engine
