// SPDX-License-Identifier: Apache-2.0
#include "models/train/network.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <cmath>

namespace dofa::train {
namespace {

constexpr std::array<double, 5> kStageWidths{24, 40, 80, 112, 160};
constexpr double kStemWidth = 16;
constexpr double kFinalWidth = 960;
constexpr double kFeatureWidth = 1280;
constexpr std::array<bool, 5> kStageSqueezes{false, true, false, true, true};
constexpr std::size_t kFirstHardSwishStage = 2;

std::int64_t channels(double count) {
  return engine::make_divisible(count);
}

at::Tensor ones(std::int64_t count) {
  return at::ones({count});
}
at::Tensor zeros(std::int64_t count) {
  return at::zeros({count});
}

/// The stem's 3x3 convolution as a matrix product: its input needs no gradient and has 3 channels only.
at::Tensor stem_convolution(const at::Tensor& images, const at::Tensor& weight, std::int64_t stride) {
  const at::Tensor columns =
      at::im2col(images.permute({0, 3, 1, 2}).contiguous(), {3, 3}, {1, 1}, {1, 1}, {stride, stride});
  const std::int64_t height = (images.size(1) + stride - 1) / stride;
  const std::int64_t width = (images.size(2) + stride - 1) / stride;
  return at::linear(columns.transpose(1, 2).contiguous(), weight.flatten(1).to(images.scalar_type()))
      .view({images.size(0), height, width, weight.size(0)});
}

}  // namespace

template <class Self, class Visit>
void Network::visit(Self& self, const Visit& visit) {
  const auto call = [&](const std::string& name, auto& value, ParameterKind kind) {
    if (value.defined()) visit(name, value, kind);
  };
  const auto norm = [&](const std::string& name, auto& values) {
    call(name + ".weight", values.weight, ParameterKind::kOther);
    call(name + ".bias", values.bias, ParameterKind::kOther);
  };
  call("first_conv.conv.weight", self.stem_weight_, ParameterKind::kMatrix);
  norm("first_conv.bn", self.stem_norm_);
  for (std::size_t i = 0; i < self.blocks_.size(); ++i) {
    auto& block = self.blocks_[i];
    const std::string name = "blocks." + std::to_string(i) + ".conv.";
    if (block.expands) {
      call(name + "inverted_bottleneck.conv.weight", block.expand_weight, ParameterKind::kMatrix);
      norm(name + "inverted_bottleneck.bn", block.expand_norm);
    }
    call(name + "depth_conv.conv.weight", block.depthwise_weight, ParameterKind::kWeight);
    std::int64_t kernel = block.depthwise_weight.defined() ? block.depthwise_weight.size(3) : 0;
    for (auto& transform : block.transforms) {
      call(name + "depth_conv.conv." + std::to_string(kernel) + "to" + std::to_string(kernel - 2) + "_matrix",
           transform, ParameterKind::kOther);
      kernel -= 2;
    }
    norm(name + "depth_conv.bn", block.depthwise_norm);
    if (block.has_squeeze) {
      call(name + "depth_conv.se.fc.reduce.weight", block.reduce_weight, ParameterKind::kWeight);
      call(name + "depth_conv.se.fc.reduce.bias", block.reduce_bias, ParameterKind::kOther);
      call(name + "depth_conv.se.fc.expand.weight", block.excite_weight, ParameterKind::kWeight);
      call(name + "depth_conv.se.fc.expand.bias", block.excite_bias, ParameterKind::kOther);
    }
    call(name + "point_linear.conv.weight", block.project_weight, ParameterKind::kMatrix);
    norm(name + "point_linear.bn", block.project_norm);
  }
  call("final_expand_layer.conv.weight", self.final_weight_, ParameterKind::kMatrix);
  norm("final_expand_layer.bn", self.final_norm_);
  call("feature_mix_layer.conv.weight", self.feature_weight_, ParameterKind::kWeight);
  call("classifier.linear.weight", self.classifier_weight_, ParameterKind::kWeight);
  call("classifier.linear.bias", self.classifier_bias_, ParameterKind::kOther);
}

Network::Network(const Space& space, std::uint64_t seed, at::Device device) : space_(space) {
  const std::int64_t stem = channels(kStemWidth * space.width);
  stem_weight_ = at::empty({stem, 3, 3, 3});
  stem_norm_ = {ones(stem), zeros(stem)};
  make_block(stem, stem, 1, 0, false);
  for (std::size_t stage = 0; stage < kStageWidths.size(); ++stage) {
    for (std::uint32_t i = 0; i < space.max_depth; ++i)
      make_block(blocks_.back().out, channels(kStageWidths[stage] * space.width),
                 i == 0 ? space.stage_strides[stage] : 1, stage, true);
  }
  const std::int64_t final_channels = channels(kFinalWidth * space.width);
  const std::int64_t features = channels(kFeatureWidth * space.width);
  final_weight_ = at::empty({final_channels, blocks_.back().out, 1, 1});
  final_norm_ = {ones(final_channels), zeros(final_channels)};
  feature_weight_ = at::empty({features, final_channels, 1, 1});
  classifier_weight_ = at::empty({space.classes, features});
  classifier_bias_ = zeros(space.classes);

  auto generator = at::detail::createCPUGenerator(seed);
  visit(*this, [&](const std::string& name, at::Tensor& value, ParameterKind kind) {
    if (kind != ParameterKind::kOther && value.dim() == 4) {
      const double fan_out = static_cast<double>(value.size(0) * value.size(2) * value.size(3)) /
                             (name.find("depth_conv.conv") != std::string::npos ? value.size(0) : 1);
      value.normal_(0.0, std::sqrt(2.0 / fan_out), generator);
    } else if (kind == ParameterKind::kWeight) {
      value.normal_(0.0, 0.01, generator);
    }
    value = value.to(device).requires_grad_(true);
  });
}

void Network::make_block(std::int64_t in, std::int64_t out, std::int64_t stride, std::size_t stage,
                         bool expands) {
  Block block;
  block.in = in;
  block.out = out;
  block.stride = stride;
  block.expands = expands;
  block.max_mid = expands ? channels(static_cast<double>(in) * space_.expand_ratios.back()) : in;
  if (stage >= kFirstHardSwishStage) block.activation = NormActivation::kHardSwish;
  block.has_squeeze = expands && kStageSqueezes[stage];
  const std::int64_t mid = block.max_mid;
  if (expands) {
    block.expand_weight = at::empty({mid, in, 1, 1});
    block.expand_norm = {ones(mid), zeros(mid)};
    for (std::size_t i = space_.kernel_sizes.size() - 1; i > 0; --i) {
      const std::int64_t smaller = space_.kernel_sizes[i - 1];
      block.transforms.push_back(at::eye(smaller * smaller));
    }
  }
  const std::int64_t kernel = expands ? space_.kernel_sizes.back() : 3;
  block.depthwise_weight = at::empty({mid, 1, kernel, kernel});
  block.depthwise_norm = {ones(mid), zeros(mid)};
  if (block.has_squeeze) {
    const std::int64_t squeezed = channels(static_cast<double>(mid / 4));
    block.reduce_weight = at::empty({squeezed, mid, 1, 1});
    block.reduce_bias = zeros(squeezed);
    block.excite_weight = at::empty({mid, squeezed, 1, 1});
    block.excite_bias = zeros(mid);
  }
  block.project_weight = at::empty({out, mid, 1, 1});
  // Blocks with a shortcut start as the identity (Goyal et al., 2017, section 5.1).
  block.project_norm = {stride == 1 && in == out ? zeros(out) : ones(out), zeros(out)};
  blocks_.push_back(std::move(block));
}

std::vector<Parameter> Network::parameters() const {
  std::vector<Parameter> parameters;
  visit(*this, [&](const std::string& name, const at::Tensor& value, ParameterKind kind) {
    parameters.push_back({name, value, kind});
  });
  return parameters;
}

Network Network::replica() const {
  Network copy = *this;
  visit(copy, [](const std::string&, at::Tensor& value, ParameterKind) {
    value = value.detach().requires_grad_(true);
  });
  return copy;
}

void Network::cut(Block& block, std::int64_t kernel, std::int64_t ratio) {
  const std::int64_t mid = channels(static_cast<double>(block.in * ratio));
  const std::int64_t edge = (block.depthwise_weight.size(3) - kernel) / 2;
  block.transforms.clear();
  block.expand_weight = block.expand_weight.narrow(0, 0, mid);
  block.depthwise_weight =
      block.depthwise_weight.narrow(0, 0, mid).narrow(2, edge, kernel).narrow(3, edge, kernel);
  block.project_weight = block.project_weight.narrow(1, 0, mid);
  for (Norm* norm : {&block.expand_norm, &block.depthwise_norm})
    *norm = {norm->weight.narrow(0, 0, mid), norm->bias.narrow(0, 0, mid)};
  if (block.has_squeeze) {
    const std::int64_t squeezed = channels(static_cast<double>(mid / 4));
    block.reduce_weight = block.reduce_weight.narrow(0, 0, squeezed).narrow(1, 0, mid);
    block.reduce_bias = block.reduce_bias.narrow(0, 0, squeezed);
    block.excite_weight = block.excite_weight.narrow(0, 0, mid).narrow(1, 0, squeezed);
    block.excite_bias = block.excite_bias.narrow(0, 0, mid);
  }
}

Network Network::alone(const config::OfaArchitecture& architecture) const {
  Network part = replica();
  const torch::NoGradGuard no_gradients;
  for (std::size_t stage = 0; stage < engine::kStages; ++stage) {
    for (std::size_t i = 0; i < space_.max_depth; ++i) {
      Block& block = part.blocks_[1 + stage * space_.max_depth + i];
      const std::size_t entry = stage * engine::kBlocksPerStage + i;
      if (i < architecture.depths[stage])
        cut(block, architecture.kernel_sizes[entry], architecture.expand_ratios[entry]);
      else
        block = {};
    }
  }
  return part.replica();
}

at::Tensor Network::Pass::operator()(const at::Tensor& x, const Norm& norm, NormActivation activation) const {
  const std::int64_t count = x.size(3);
  BatchMoments moments;
  at::Tensor out = normalise(x, norm.weight.narrow(0, 0, count), norm.bias.narrow(0, 0, count), activation,
                             observe ? &moments : nullptr);
  if (observe) observe(moments);
  return out;
}

/// The weights for a smaller kernel: each channel's centre crop times the learnt matrix (Cai et al.,
/// section 3.3).
at::Tensor Network::kernel_of(const Block& block, std::int64_t kernel, std::int64_t mid) const {
  at::Tensor weight = block.depthwise_weight.narrow(0, 0, mid);
  for (const at::Tensor& transform : block.transforms) {
    if (weight.size(3) == kernel) break;
    const std::int64_t smaller = weight.size(3) - 2;
    const at::Tensor centre =
        weight.narrow(2, 1, smaller).narrow(3, 1, smaller).reshape({mid, smaller * smaller});
    weight = at::linear(centre, transform).view({mid, 1, smaller, smaller});
  }
  return weight;
}

at::Tensor Network::run_block(const Block& block, std::int64_t kernel, std::int64_t ratio,
                              const at::Tensor& input, const Pass& pass) const {
  const std::int64_t mid = block.expands ? channels(static_cast<double>(block.in * ratio)) : block.in;
  at::Tensor x = input;
  if (block.expands)
    x = pass(pointwise(x, block.expand_weight.narrow(0, 0, mid)), block.expand_norm, block.activation);
  x = depthwise(x, kernel_of(block, kernel, mid), block.stride);
  x = pass(x, block.depthwise_norm, block.activation);
  if (block.has_squeeze) {
    const std::int64_t squeezed = channels(static_cast<double>(mid / 4));
    x = squeeze_excite(x, block.reduce_weight.narrow(0, 0, squeezed).narrow(1, 0, mid),
                       block.reduce_bias.narrow(0, 0, squeezed),
                       block.excite_weight.narrow(0, 0, mid).narrow(1, 0, squeezed),
                       block.excite_bias.narrow(0, 0, mid));
  }
  x = pass(pointwise(x, block.project_weight.narrow(1, 0, mid)), block.project_norm, NormActivation::kNone);
  return block.stride == 1 && block.in == block.out ? x + input : x;
}

at::Tensor Network::forward(const config::OfaArchitecture& architecture, const at::Tensor& images,
                            const Observe& observe) const {
  const Pass pass{observe};
  at::Tensor x = pass(stem_convolution(images, stem_weight_, space_.stem_stride), stem_norm_,
                      NormActivation::kHardSwish);
  x = run_block(blocks_.front(), 3, 1, x, pass);
  for (std::size_t stage = 0; stage < engine::kStages; ++stage) {
    for (std::size_t i = 0; i < architecture.depths[stage]; ++i) {
      const std::size_t entry = stage * engine::kBlocksPerStage + i;
      x = run_block(blocks_[1 + stage * space_.max_depth + i], architecture.kernel_sizes[entry],
                    architecture.expand_ratios[entry], x, pass);
    }
  }
  x = pass(pointwise(x, final_weight_), final_norm_, NormActivation::kHardSwish);
  x = hard_swish(pointwise(x.flatten(1, 2).mean(1), feature_weight_));
  return at::linear(x.to(at::kFloat), classifier_weight_, classifier_bias_);
}

}  // namespace dofa::train
