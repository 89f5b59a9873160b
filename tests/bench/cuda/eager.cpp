// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/cuda/eager.hpp"

#include <ATen/ATen.h>

namespace dofa::bench {
namespace {
using engine::Activation;
using engine::BatchNorm;
using engine::Moments;

/// Copies arrays of a supernet to a device.
class Copier {
 public:
  explicit Copier(at::TensorOptions options) : options_(options) {}

  at::Tensor array(const std::vector<float>& values, at::IntArrayRef shape) const {
    return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat).to(options_, false, true);
  }
  at::Tensor prefix(const std::vector<float>& values, std::size_t count) const {
    return at::from_blob(const_cast<float*>(values.data()), {static_cast<std::int64_t>(count)}, at::kFloat)
        .to(options_, false, true);
  }
  at::Tensor convolution(const std::vector<float>& values, at::IntArrayRef shape, std::int64_t out,
                         std::int64_t in) const {
    return array(values, shape).narrow(0, 0, out).narrow(1, 0, in).contiguous(at::MemoryFormat::ChannelsLast);
  }
  /// Statistics stay float, as LibTorch wants them for half inputs.
  std::function<at::Tensor(const at::Tensor&)> norm(const BatchNorm& learnt, const Moments& moments) const {
    const at::TensorOptions exact = options_.dtype(at::kFloat);
    const Copier copy(exact);
    const std::size_t count = moments.mean.size();
    return [weight = copy.prefix(learnt.weight, count), bias = copy.prefix(learnt.bias, count),
            mean = copy.prefix(moments.mean, count),
            variance = copy.prefix(moments.variance, count)](const at::Tensor& x) {
      return at::batch_norm(x, weight, bias, mean, variance, false, 0.0, engine::kBatchNormEpsilon, true);
    };
  }

 private:
  at::TensorOptions options_;
};

at::Tensor activate(const at::Tensor& x, Activation activation) {
  return activation == Activation::kRelu ? at::relu(x) : at::hardswish(x);
}

using Layer = std::function<at::Tensor(const at::Tensor&)>;

Layer make_block(const Copier& copy, const engine::SupernetBlock& source, const engine::SubnetBlock& block) {
  const std::int64_t mid = block.mid_channels, max_mid = source.max_mid_channels, in = source.in_channels,
                     out = source.out_channels, kernel = block.kernel, stride = source.stride;
  const bool expands = !source.expand_weight.empty(), squeezes = block.squeeze_channels != 0;
  at::Tensor expand, reduce, reduce_bias, excite, excite_bias;
  Layer expand_norm;
  if (expands) {
    expand = copy.convolution(source.expand_weight, {max_mid, in, 1, 1}, mid, in);
    expand_norm = copy.norm(source.expand_norm, block.expand);
  }
  const at::Tensor depthwise =
      copy.convolution(source.depthwise_weight(block.kernel), {max_mid, 1, kernel, kernel}, mid, 1);
  const Layer depthwise_norm = copy.norm(source.depthwise_norm, block.depthwise);
  if (squeezes) {
    const engine::SqueezeExcite& se = source.squeeze_excite;
    const std::int64_t channels = se.channels, squeezed = block.squeeze_channels;
    reduce = copy.convolution(se.reduce_weight, {channels, max_mid, 1, 1}, squeezed, mid);
    reduce_bias = copy.prefix(se.reduce_bias, block.squeeze_channels);
    excite = copy.convolution(se.expand_weight, {max_mid, channels, 1, 1}, mid, squeezed);
    excite_bias = copy.prefix(se.expand_bias, block.mid_channels);
  }
  const at::Tensor project = copy.convolution(source.project_weight, {out, max_mid, 1, 1}, out, mid);
  const Layer project_norm = copy.norm(source.project_norm, block.project);
  return [=, activation = source.activation, shortcut = source.has_shortcut](const at::Tensor& input) {
    at::Tensor x = input;
    if (expands) x = activate(expand_norm(at::conv2d(x, expand)), activation);
    x = activate(depthwise_norm(at::conv2d(x, depthwise, {}, stride, kernel / 2, 1, mid)), activation);
    if (squeezes) {
      const at::Tensor y = at::relu(at::conv2d(at::adaptive_avg_pool2d(x, {1, 1}), reduce, reduce_bias));
      x = x * at::hardsigmoid(at::conv2d(y, excite, excite_bias));
    }
    x = project_norm(at::conv2d(x, project));
    return shortcut ? x + input : x;
  };
}

}  // namespace

EagerNet::EagerNet(const engine::Supernet& net, const engine::Subnet& subnet, at::TensorOptions options) {
  const Copier copy(options);
  const std::int64_t stem_channels = net.stem_channels, stride = net.stem_stride;
  layers_.emplace_back([stem = copy.convolution(net.stem_weight, {stem_channels, 3, 3, 3}, stem_channels, 3),
                        norm = copy.norm(net.stem_norm, subnet.stem), stride](const at::Tensor& x) {
    return at::hardswish(norm(at::conv2d(x, stem, {}, stride, 1)));
  });
  for (const engine::SubnetBlock& block : subnet.blocks)
    layers_.push_back(make_block(copy, net.blocks[block.source], block));
  const std::int64_t last = net.blocks.back().out_channels, channels = net.final_channels,
                     features = net.feature_channels, classes = net.classes;
  layers_.emplace_back([final = copy.convolution(net.final_weight, {channels, last, 1, 1}, channels, last),
                        norm = copy.norm(net.final_norm, subnet.final_expand)](const at::Tensor& x) {
    return at::adaptive_avg_pool2d(at::hardswish(norm(at::conv2d(x, final))), {1, 1}).flatten(1);
  });
  layers_.emplace_back([feature = copy.array(net.feature_weight, {features, channels}),
                        classifier = copy.array(net.classifier_weight, {classes, features}),
                        bias = copy.prefix(net.classifier_bias, net.classes)](const at::Tensor& x) {
    return at::linear(at::hardswish(at::linear(x, feature)), classifier, bias);
  });
}

at::Tensor EagerNet::forward(const at::Tensor& images) const {
  at::Tensor x = images.contiguous(at::MemoryFormat::ChannelsLast);
  for (const auto& layer : layers_) x = layer(x);
  return x;
}

}  // namespace dofa::bench
