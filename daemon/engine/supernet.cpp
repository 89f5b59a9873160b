// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/supernet.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace dofa::engine {
namespace {

constexpr std::uint32_t kChannelDivisor = 8;
constexpr std::array<Activation, kStages> kStageActivations{Activation::kRelu, Activation::kRelu,
                                                            Activation::kHardSwish, Activation::kHardSwish,
                                                            Activation::kHardSwish};
constexpr std::array<bool, kStages> kStageSqueezeExcite{false, true, false, true, true};
constexpr std::uint32_t kMaxChannels = 16384;  // keeps every product of sizes far from overflow

/// What is wrong with the tensors; thrown inside this file, an Error outside.
struct Fault {
  std::string what;
};

class Builder {
 public:
  explicit Builder(const FloatTensors& tensors) : tensors_(tensors) {}

  Supernet build(const config::OfaSupernet& strides) {
    Supernet net;
    net.stem_stride = strides.stem_stride;
    net.stem_channels = size_of("first_conv.conv.weight", 4, 0);
    net.stem_weight = take("first_conv.conv.weight", {net.stem_channels, 3, 3, 3});
    net.stem_norm = norm("first_conv.bn", net.stem_channels);
    find_choices(net);
    net.blocks.push_back(fixed_block(net.stem_channels));
    for (std::size_t stage = 0; stage < kStages; ++stage) {
      for (std::uint32_t i = 0; i < net.max_depth; ++i) {
        const std::uint32_t stride = i == 0 ? strides.stage_strides[stage] : 1;
        net.blocks.push_back(elastic_block(net, stage, stride));
      }
    }
    const std::uint32_t last = net.blocks.back().out_channels;
    net.final_channels = size_of("final_expand_layer.conv.weight", 4, 0);
    net.final_weight = take("final_expand_layer.conv.weight", {net.final_channels, last, 1, 1});
    net.final_norm = norm("final_expand_layer.bn", net.final_channels);
    net.feature_channels = size_of("feature_mix_layer.conv.weight", 4, 0);
    net.feature_weight =
        take("feature_mix_layer.conv.weight", {net.feature_channels, net.final_channels, 1, 1});
    net.classes = size_of("classifier.linear.weight", 2, 0);
    net.classifier_weight = take("classifier.linear.weight", {net.classes, net.feature_channels});
    net.classifier_bias = take("classifier.linear.bias", {net.classes});
    net.width = width_multiplier(net);
    return net;
  }

 private:
  const checkpoint::FloatTensor& find(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) throw Fault{"tensor '" + name + "' is missing"};
    return found->second;
  }
  std::uint32_t size_of(const std::string& name, std::size_t rank, std::size_t axis) const {
    const auto& shape = find(name).shape;
    if (shape.size() != rank || shape[axis] < 1 || shape[axis] > kMaxChannels)
      throw Fault{"tensor '" + name + "' has the unlikely shape " + checkpoint::shape_text(shape)};
    return static_cast<std::uint32_t>(shape[axis]);
  }
  const std::vector<float>& take(const std::string& name, const std::vector<std::int64_t>& shape) const {
    const auto& tensor = find(name);
    if (tensor.shape != shape)
      throw Fault{"tensor '" + name + "' has shape " + checkpoint::shape_text(tensor.shape) + " where " +
                  checkpoint::shape_text(shape) + " is needed"};
    return tensor.values;
  }
  BatchNorm norm(const std::string& name, std::uint32_t channels) const {
    return {take(name + ".weight", {channels}), take(name + ".bias", {channels})};
  }

  /// Depth from the number of blocks, the largest kernel and expansion from the first elastic block's shapes,
  /// smaller kernels from the transforms that are there.
  void find_choices(Supernet& net) const {
    std::size_t blocks = 0;
    while (tensors_.contains("blocks." + std::to_string(blocks) + ".conv.depth_conv.conv.weight")) ++blocks;
    if (blocks < 2 || (blocks - 1) % kStages != 0 || (blocks - 1) / kStages > kBlocksPerStage)
      throw Fault{"found " + std::to_string(blocks) +
                  " blocks where 1 and up to 4 for each of 5 stages are needed"};
    net.max_depth = static_cast<std::uint32_t>((blocks - 1) / kStages);
    for (const std::uint8_t depth : {2, 3, 4})
      if (depth <= net.max_depth) net.depth_choices.push_back(depth);

    const std::string depthwise = "blocks.1.conv.depth_conv.conv.";
    const std::uint32_t kernel = size_of(depthwise + "weight", 4, 3);
    if (kernel != 3 && kernel != 5 && kernel != 7)
      throw Fault{"depthwise kernels are " + std::to_string(kernel) + " wide; 3, 5 or 7 are supported"};
    net.kernel_choices = {static_cast<std::uint8_t>(kernel)};
    if (kernel == 7 && tensors_.contains(depthwise + "7to5_matrix"))
      net.kernel_choices.insert(net.kernel_choices.begin(), 5);
    if (net.kernel_choices.front() == 5 && tensors_.contains(depthwise + "5to3_matrix"))
      net.kernel_choices.insert(net.kernel_choices.begin(), 3);

    const std::string expand = "blocks.1.conv.inverted_bottleneck.conv.weight";
    const std::uint32_t in = size_of(expand, 4, 1);
    for (const std::uint8_t ratio : {3, 4, 6})
      if (make_divisible(ratio * in) <= size_of(expand, 4, 0)) net.expand_choices.push_back(ratio);
    if (net.expand_choices.empty() || make_divisible(net.expand_choices.back() * in) != size_of(expand, 4, 0))
      throw Fault{"tensor '" + expand + "' does not expand by 3, 4 or 6"};
  }

  SupernetBlock fixed_block(std::uint32_t in) const {
    const std::string name = "blocks.0.conv.";
    SupernetBlock block;
    block.in_channels = block.max_mid_channels = in;
    block.depthwise_weights[0] = take(name + "depth_conv.conv.weight", {in, 1, 3, 3});
    block.depthwise_norm = norm(name + "depth_conv.bn", in);
    add_projection(block, name);
    return block;
  }

  SupernetBlock elastic_block(const Supernet& net, std::size_t stage, std::uint32_t stride) const {
    const std::string name = "blocks." + std::to_string(net.blocks.size()) + ".conv.";
    SupernetBlock block;
    block.in_channels = net.blocks.back().out_channels;
    block.max_mid_channels =
        make_divisible(static_cast<double>(block.in_channels) * net.expand_choices.back());
    block.stride = stride;
    block.activation = kStageActivations[stage];
    const std::uint32_t mid = block.max_mid_channels;
    block.expand_weight = take(name + "inverted_bottleneck.conv.weight", {mid, block.in_channels, 1, 1});
    block.expand_norm = norm(name + "inverted_bottleneck.bn", mid);
    add_kernels(block, net, name + "depth_conv.conv.");
    block.depthwise_norm = norm(name + "depth_conv.bn", mid);
    if (kStageSqueezeExcite[stage]) add_squeeze_excite(block, name + "depth_conv.se.fc.");
    add_projection(block, name);
    return block;
  }

  void add_kernels(SupernetBlock& block, const Supernet& net, const std::string& name) const {
    std::int64_t kernel = net.kernel_choices.back();
    const std::vector<float>* weights = &take(name + "weight", {block.max_mid_channels, 1, kernel, kernel});
    block.depthwise_weights[static_cast<std::size_t>(kernel - 3) / 2] = *weights;
    for (std::size_t i = net.kernel_choices.size() - 1; i-- > 0; kernel -= 2) {
      const std::string matrix =
          name + std::to_string(kernel) + "to" + std::to_string(kernel - 2) + "_matrix";
      const std::int64_t cells = (kernel - 2) * (kernel - 2);
      auto& smaller = block.depthwise_weights[static_cast<std::size_t>(kernel - 5) / 2];
      smaller = shrink(*weights, static_cast<std::size_t>(kernel), take(matrix, {cells, cells}));
      weights = &smaller;
    }
  }

  /// OFA's kernel transform: each channel's centre crop, as a row, times the learnt matrix transposed.
  static std::vector<float> shrink(const std::vector<float>& weights, std::size_t kernel,
                                   const std::vector<float>& matrix) {
    const std::size_t smaller = kernel - 2;
    const std::size_t cells = smaller * smaller;
    const std::size_t channels = weights.size() / (kernel * kernel);
    std::vector<float> result(channels * cells);
    for (std::size_t channel = 0; channel < channels; ++channel) {
      const float* source = &weights[channel * kernel * kernel];
      for (std::size_t to = 0; to < cells; ++to) {
        float sum = 0;
        for (std::size_t from = 0; from < cells; ++from)
          sum += matrix[to * cells + from] * source[(from / smaller + 1) * kernel + from % smaller + 1];
        result[channel * cells + to] = sum;
      }
    }
    return result;
  }

  void add_squeeze_excite(SupernetBlock& block, const std::string& name) const {
    SqueezeExcite& se = block.squeeze_excite;
    const std::uint32_t mid = block.max_mid_channels;
    se.channels = make_divisible(mid / 4);
    se.reduce_weight = take(name + "reduce.weight", {se.channels, mid, 1, 1});
    se.reduce_bias = take(name + "reduce.bias", {se.channels});
    se.expand_weight = take(name + "expand.weight", {mid, se.channels, 1, 1});
    se.expand_bias = take(name + "expand.bias", {mid});
  }

  void add_projection(SupernetBlock& block, const std::string& name) const {
    const std::string weight = name + "point_linear.conv.weight";
    block.out_channels = size_of(weight, 4, 0);
    block.project_weight = take(weight, {block.out_channels, block.max_mid_channels, 1, 1});
    block.project_norm = norm(name + "point_linear.bn", block.out_channels);
    block.has_shortcut = block.stride == 1 && block.in_channels == block.out_channels;
  }

  /// The roundest width multiplier (of 0.05, then 0.01) that gives these channel counts; else what the
  /// features say.
  static double width_multiplier(const Supernet& net) {
    constexpr std::array<double, kStages> kStageWidths{24, 40, 80, 112, 160};
    for (const int parts : {20, 100}) {
      for (int i = 1; i <= 4 * parts; ++i) {
        const double width = static_cast<double>(i) / parts;
        bool fits = make_divisible(16 * width) == net.stem_channels &&
                    make_divisible(960 * width) == net.final_channels &&
                    make_divisible(1280 * width) == net.feature_channels;
        for (std::size_t stage = 0; stage < kStages; ++stage)
          fits = fits && make_divisible(kStageWidths[stage] * width) ==
                             net.blocks[1 + stage * net.max_depth].out_channels;
        if (fits) return width;
      }
    }
    return std::clamp(static_cast<double>(net.feature_channels) / 1280, 0.1, 4.0);
  }

  const FloatTensors& tensors_;
};

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos;)
    text.replace(at, from.size(), to);
}

std::string canonical_name(std::string name) {
  if (name.starts_with("module.")) name.erase(0, 7);  // DataParallel's
  replace_all(name, ".mobile_inverted_conv.", ".conv.");
  replace_all(name, ".bn.bn.", ".bn.");
  replace_all(name, ".conv.conv.", ".conv.");
  replace_all(name, ".linear.linear.", ".linear.");
  return name;
}

}  // namespace

std::uint32_t make_divisible(double channels) {
  const auto rounded =
      std::max(kChannelDivisor, static_cast<std::uint32_t>(channels + kChannelDivisor / 2.0) /
                                    kChannelDivisor * kChannelDivisor);
  return rounded < 0.9 * channels ? rounded + kChannelDivisor : rounded;
}

Result<FloatTensors> canonical_tensors(const checkpoint::Checkpoint& checkpoint) {
  FloatTensors tensors;
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    if (name.ends_with(".num_batches_tracked")) continue;
    auto values = checkpoint::to_floats(tensor);
    if (!values) return Error{ErrorCode::kInvalidArgument, "tensor '" + name + "' " + values.error().message};
    if (!std::ranges::all_of(*values, [](float value) { return std::isfinite(value); }))
      return Error{ErrorCode::kInvalidArgument, "tensor '" + name + "' holds NaN or infinity"};
    const std::string canonical = canonical_name(name);
    if (!tensors.emplace(canonical, checkpoint::FloatTensor{tensor.shape, std::move(*values)}).second)
      return Error{ErrorCode::kInvalidArgument,
                   "two tensors are named '" + canonical + "' in different spellings"};
  }
  return tensors;
}

Result<Supernet> make_supernet(const FloatTensors& tensors, const config::OfaSupernet& strides) {
  try {
    return Builder(tensors).build(strides);
  } catch (const Fault& fault) {
    return Error{ErrorCode::kInvalidArgument, fault.what};
  }
}

}  // namespace dofa::engine
