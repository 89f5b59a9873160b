// SPDX-License-Identifier: Apache-2.0
#include "models/tool/export_graph.hpp"

#include <cmath>

namespace dofa::tool {
namespace {

using engine::Activation;
using engine::BatchNorm;
using engine::Moments;

/// The first `rows` rows and `columns` columns of a row-major matrix that is `width` wide.
std::vector<float> corner(const std::vector<float>& matrix, std::size_t width, std::size_t rows,
                          std::size_t columns) {
  std::vector<float> result;
  result.reserve(rows * columns);
  for (std::size_t row = 0; row < rows; ++row) {
    const auto start = matrix.begin() + static_cast<std::ptrdiff_t>(row * width);
    result.insert(result.end(), start, start + static_cast<std::ptrdiff_t>(columns));
  }
  return result;
}

std::vector<float> head(const std::vector<float>& values, std::size_t count) {
  return corner(values, count, 1, count);
}

/// Multiplies each output channel by weight / sqrt(variance + epsilon) and gives it the bias that remains.
FoldedConv fold(FoldedConv conv, const BatchNorm& norm, const Moments& moments) {
  const auto channels = static_cast<std::size_t>(conv.out_channels);
  const std::size_t per_channel = conv.weight.size() / channels;
  for (std::size_t channel = 0; channel < channels; ++channel) {
    const double deviation =
        std::sqrt(static_cast<double>(moments.variance[channel]) + engine::kBatchNormEpsilon);
    const double scale = norm.weight[channel] / deviation;
    for (std::size_t i = 0; i < per_channel; ++i) {
      float& weight = conv.weight[channel * per_channel + i];
      weight = static_cast<float>(weight * scale);
    }
    conv.bias.push_back(static_cast<float>(norm.bias[channel] - moments.mean[channel] * scale));
  }
  return conv;
}

FoldedConv pointwise(const std::vector<float>& matrix, std::size_t width, std::size_t out, std::size_t in) {
  return {static_cast<std::int64_t>(out),
          static_cast<std::int64_t>(in),
          1,
          1,
          1,
          corner(matrix, width, out, in),
          {}};
}

Unary unary_of(Activation activation) {
  return activation == Activation::kRelu ? Unary::kRelu : Unary::kHardSwish;
}

std::string emit_squeeze_excite(const engine::SqueezeExcite& se, const engine::SubnetBlock& block,
                                const std::string& x, GraphSink& sink) {
  const std::size_t mid = block.mid_channels;
  const std::size_t squeezed = block.squeeze_channels;
  FoldedConv reduce = pointwise(se.reduce_weight, se.expand_bias.size(), squeezed, mid);
  reduce.bias = head(se.reduce_bias, squeezed);
  FoldedConv expand = pointwise(se.expand_weight, se.channels, mid, squeezed);
  expand.bias = head(se.expand_bias, mid);
  std::string y = sink.unary(Unary::kGlobalMean, x);
  y = sink.unary(Unary::kRelu, sink.conv(y, reduce));
  y = sink.unary(Unary::kHardSigmoid, sink.conv(y, expand));
  return sink.binary(Binary::kMultiply, x, y);
}

std::string emit_block(const engine::SupernetBlock& source, const engine::SubnetBlock& block,
                       const std::string& input, GraphSink& sink) {
  const std::size_t mid = block.mid_channels;
  const Unary activation = unary_of(source.activation);
  std::string x = input;
  if (!source.expand_weight.empty()) {
    const FoldedConv expand = pointwise(source.expand_weight, source.in_channels, mid, source.in_channels);
    x = sink.unary(activation, sink.conv(x, fold(expand, source.expand_norm, block.expand)));
  }
  FoldedConv depthwise{
      static_cast<std::int64_t>(mid), 1, block.kernel, source.stride, static_cast<std::int64_t>(mid), {}, {}};
  depthwise.weight = head(source.depthwise_weight(block.kernel), mid * block.kernel * block.kernel);
  x = sink.unary(activation,
                 sink.conv(x, fold(std::move(depthwise), source.depthwise_norm, block.depthwise)));
  if (block.squeeze_channels != 0) x = emit_squeeze_excite(source.squeeze_excite, block, x, sink);
  const FoldedConv project =
      pointwise(source.project_weight, source.max_mid_channels, source.out_channels, mid);
  x = sink.conv(x, fold(project, source.project_norm, block.project));
  return source.has_shortcut ? sink.binary(Binary::kAdd, x, input) : x;
}

}  // namespace

std::string emit_graph(const engine::Supernet& supernet, const engine::Subnet& subnet,
                       const std::string& input, GraphSink& sink) {
  FoldedConv stem{supernet.stem_channels, 3, 3, supernet.stem_stride, 1, supernet.stem_weight, {}};
  std::string x = sink.conv(input, fold(std::move(stem), supernet.stem_norm, subnet.stem));
  x = sink.unary(Unary::kHardSwish, x);
  for (const engine::SubnetBlock& block : subnet.blocks)
    x = emit_block(supernet.blocks[block.source], block, x, sink);
  const std::size_t last = supernet.blocks.back().out_channels;
  const FoldedConv final_expand = pointwise(supernet.final_weight, last, supernet.final_channels, last);
  x = sink.unary(Unary::kHardSwish,
                 sink.conv(x, fold(final_expand, supernet.final_norm, subnet.final_expand)));
  x = sink.unary(Unary::kGlobalMean, x);
  x = sink.conv(x, pointwise(supernet.feature_weight, supernet.final_channels, supernet.feature_channels,
                             supernet.final_channels));
  x = sink.unary(Unary::kHardSwish, x);
  return sink.linear(x, supernet.classifier_weight, supernet.classifier_bias);
}

}  // namespace dofa::tool
