// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/reference.hpp"

#include <ATen/ATen.h>

namespace dofa::engine {
namespace {

/// A view of an array of the supernet. ATen wants a mutable pointer and never writes through it here.
at::Tensor view(const std::vector<float>& values, at::IntArrayRef shape) {
  return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat);
}

/// The first `count` values.
at::Tensor prefix(const std::vector<float>& values, std::int64_t count) {
  return view(values, {static_cast<std::int64_t>(values.size())}).narrow(0, 0, count);
}

/// A 1x1 convolution's weight: the first `out` rows and `in` columns of a matrix with `columns` columns.
at::Tensor pointwise_weight(const std::vector<float>& matrix, std::int64_t columns, std::int64_t out,
                            std::int64_t in) {
  const auto rows = static_cast<std::int64_t>(matrix.size()) / columns;
  return view(matrix, {rows, columns, 1, 1}).narrow(0, 0, out).narrow(1, 0, in);
}

at::Tensor hard_sigmoid(const at::Tensor& x) {
  return (x + 3.0F).clamp(0.0F, 6.0F) / 6.0F;
}

at::Tensor activate(const at::Tensor& x, Activation activation) {
  return activation == Activation::kRelu ? at::relu(x) : x * hard_sigmoid(x);
}

at::Tensor squeeze_and_excite(const at::Tensor& x, const SqueezeExcite& se, std::int64_t squeezed) {
  const std::int64_t mid = x.size(1);
  const auto max_mid = static_cast<std::int64_t>(se.expand_bias.size());
  at::Tensor y = x.mean(3, true).mean(2, true);
  y = at::conv2d(y, pointwise_weight(se.reduce_weight, max_mid, squeezed, mid),
                 prefix(se.reduce_bias, squeezed));
  y = at::conv2d(at::relu(y), pointwise_weight(se.expand_weight, se.channels, mid, squeezed),
                 prefix(se.expand_bias, mid));
  return x * hard_sigmoid(y);
}

at::Tensor run_block(const SupernetBlock& source, const SubnetBlock& block, const at::Tensor& input,
                     const Normalise& normalise) {
  const std::int64_t mid = block.mid_channels;
  const std::int64_t kernel = block.kernel;
  at::Tensor x = input;
  if (!source.expand_weight.empty()) {
    x = at::conv2d(x, pointwise_weight(source.expand_weight, source.in_channels, mid, source.in_channels));
    x = activate(normalise(x, source.expand_norm, block.expand), source.activation);
  }
  const at::Tensor depthwise =
      view(source.depthwise_weight(block.kernel), {source.max_mid_channels, 1, kernel, kernel});
  x = at::conv2d(x, depthwise.narrow(0, 0, mid), {}, source.stride, kernel / 2, 1, mid);
  x = activate(normalise(x, source.depthwise_norm, block.depthwise), source.activation);
  if (block.squeeze_channels != 0) x = squeeze_and_excite(x, source.squeeze_excite, block.squeeze_channels);
  x = at::conv2d(x,
                 pointwise_weight(source.project_weight, source.max_mid_channels, source.out_channels, mid));
  x = normalise(x, source.project_norm, block.project);
  return source.has_shortcut ? x + input : x;
}

}  // namespace

at::Tensor normalise_with_moments(const at::Tensor& x, const BatchNorm& norm, const Moments& moments) {
  const std::int64_t channels = x.size(1);
  return at::batch_norm(x, prefix(norm.weight, channels), prefix(norm.bias, channels),
                        prefix(moments.mean, channels), prefix(moments.variance, channels), false, 0.0,
                        kBatchNormEpsilon, false);
}

at::Tensor run_reference(const Supernet& supernet, const Subnet& subnet, const at::Tensor& images,
                         const Normalise& normalise) {
  at::Tensor x = at::conv2d(images, view(supernet.stem_weight, {supernet.stem_channels, 3, 3, 3}), {},
                            supernet.stem_stride, 1);
  x = activate(normalise(x, supernet.stem_norm, subnet.stem), Activation::kHardSwish);
  for (const SubnetBlock& block : subnet.blocks)
    x = run_block(supernet.blocks[block.source], block, x, normalise);
  const std::int64_t last = x.size(1);
  x = at::conv2d(x, pointwise_weight(supernet.final_weight, last, supernet.final_channels, last));
  x = activate(normalise(x, supernet.final_norm, subnet.final_expand), Activation::kHardSwish);
  x = x.mean(3, true).mean(2, true);
  x = at::conv2d(x, pointwise_weight(supernet.feature_weight, supernet.final_channels,
                                     supernet.feature_channels, supernet.final_channels));
  x = activate(x, Activation::kHardSwish).flatten(1);
  return at::linear(x, view(supernet.classifier_weight, {supernet.classes, supernet.feature_channels}),
                    prefix(supernet.classifier_bias, supernet.classes));
}

}  // namespace dofa::engine
