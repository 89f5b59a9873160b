// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/elastic.hpp"

#include <algorithm>
#include <span>
#include <string>

#include "daemon/engine/kernels/run.hpp"
#include "daemon/engine/kernels/simd.hpp"

namespace dofa::engine {
namespace {
using kernels::Affine;
using kernels::Precision;

kernels::Activation kernel_activation(Activation activation) {
  return activation == Activation::kRelu ? kernels::Activation::kRelu : kernels::Activation::kHardSwish;
}

Affine fold(const BatchNorm& norm, const Moments& moments) {
  const std::size_t channels = moments.mean.size();
  return kernels::fold_batch_norm(std::span(norm.weight).first(channels),
                                  std::span(norm.bias).first(channels), moments.mean, moments.variance,
                                  kBatchNormEpsilon);
}

std::vector<float> prefix(const std::vector<float>& values, std::uint32_t count) {
  return {values.begin(), values.begin() + count};
}
}  // namespace

/// Packs as much of a block as its most demanding user needs; nothing where no level uses it.
void ElasticModel::pack_block(const SupernetBlock& source, const std::vector<const SubnetBlock*>& users,
                              PackedBlock& packed) {
  std::uint32_t mid = 0, squeezed = 0;
  for (const SubnetBlock* user : users) {
    mid = std::max(mid, user->mid_channels);
    squeezed = std::max(squeezed, user->squeeze_channels);
  }
  if (mid == 0) return;
  const auto add = [&](const std::vector<float>& matrix, std::uint32_t columns, std::uint32_t out,
                       std::uint32_t in) {
    return weights_.add_matrix(matrix, static_cast<int>(out), static_cast<int>(in), Precision::kFloat,
                               static_cast<int>(columns));
  };
  // In the order a run reads them.
  if (!source.expand_weight.empty())
    packed.expand = add(source.expand_weight, source.in_channels, mid, source.in_channels);
  for (const std::uint32_t kernel : {3U, 5U, 7U}) {
    if (std::ranges::none_of(users, [&](const SubnetBlock* user) { return user->kernel == kernel; }))
      continue;
    const std::span<const float> all = source.depthwise_weight(kernel);
    packed.depthwise[(kernel - 3) / 2] =
        weights_.add_depthwise(all.first(static_cast<std::size_t>(mid) * kernel * kernel),
                               static_cast<int>(mid), static_cast<int>(kernel));
  }
  const SqueezeExcite& se = source.squeeze_excite;
  if (squeezed != 0) {
    packed.reduce = add(se.reduce_weight, source.max_mid_channels, squeezed, mid);
    packed.excite = add(se.expand_weight, se.channels, mid, squeezed);
  }
  packed.project = add(source.project_weight, source.max_mid_channels, source.out_channels, mid);
}

void ElasticModel::pack(const OfaModel& model, Precision head) {
  const Supernet& net = model.supernet;
  stem_ = weights_.add_conv(net.stem_weight, static_cast<int>(net.stem_channels), 3, 3);
  blocks_.resize(net.blocks.size());
  for (std::size_t i = 0; i < net.blocks.size(); ++i) {
    std::vector<const SubnetBlock*> users;
    for (const OfaLevel& level : model.levels) {
      for (const SubnetBlock& block : level.subnet.blocks)
        if (block.source == i) users.push_back(&block);
    }
    pack_block(net.blocks[i], users, blocks_[i]);
  }
  const auto last = static_cast<int>(net.blocks.back().out_channels);
  const auto final_channels = static_cast<int>(net.final_channels);
  const auto features = static_cast<int>(net.feature_channels);
  final_expand_ = weights_.add_matrix(net.final_weight, final_channels, last);
  feature_mix_ = weights_.add_matrix(net.feature_weight, features, final_channels, head);
  classifier_ = weights_.add_matrix(net.classifier_weight, static_cast<int>(net.classes), features, head);
}

std::vector<kernels::Layer> ElasticModel::layers(const Supernet& net, const Subnet& subnet) const {
  std::vector<kernels::Layer> layers;
  layers.emplace_back(kernels::ConvLayer{stem_, static_cast<int>(net.stem_channels),
                                         static_cast<int>(net.stem_stride), 1, 1,
                                         fold(net.stem_norm, subnet.stem), kernels::Activation::kHardSwish});
  for (const SubnetBlock& block : subnet.blocks) {
    const SupernetBlock& source = net.blocks[block.source];
    const PackedBlock& packed = blocks_[block.source];
    const kernels::Activation activation = kernel_activation(source.activation);
    const int input = static_cast<int>(layers.size()) - 1;
    const auto mid = static_cast<int>(block.mid_channels);
    const auto pad = static_cast<int>(block.kernel / 2);
    if (!source.expand_weight.empty())
      layers.emplace_back(kernels::PointwiseLayer{packed.expand, mid, fold(source.expand_norm, block.expand),
                                                  activation, -1});
    layers.emplace_back(kernels::DepthwiseLayer{packed.depthwise[(block.kernel - 3) / 2],
                                                static_cast<int>(source.stride), pad, pad,
                                                fold(source.depthwise_norm, block.depthwise), activation});
    if (block.squeeze_channels != 0) {
      const SqueezeExcite& se = source.squeeze_excite;
      layers.emplace_back(kernels::SqueezeExciteLayer{
          packed.reduce, packed.excite, static_cast<int>(block.squeeze_channels),
          prefix(se.reduce_bias, block.squeeze_channels), prefix(se.expand_bias, block.mid_channels)});
    }
    layers.emplace_back(kernels::PointwiseLayer{
        packed.project, static_cast<int>(source.out_channels), fold(source.project_norm, block.project),
        kernels::Activation::kNone, source.has_shortcut ? input : -1});
  }
  layers.emplace_back(kernels::PointwiseLayer{final_expand_, static_cast<int>(net.final_channels),
                                              fold(net.final_norm, subnet.final_expand),
                                              kernels::Activation::kHardSwish, -1});
  layers.emplace_back(kernels::GlobalPoolLayer{});
  layers.emplace_back(kernels::LinearLayer{
      feature_mix_, static_cast<int>(net.feature_channels), {}, kernels::Activation::kHardSwish});
  layers.emplace_back(kernels::LinearLayer{
      classifier_, static_cast<int>(net.classes), {{}, net.classifier_bias}, kernels::Activation::kNone});
  return layers;
}

Result<ElasticModel> ElasticModel::make(const OfaModel& model, Precision head) {
  ElasticModel elastic;
  elastic.pack(model, head);
  for (std::size_t i = 0; i < model.levels.size(); ++i) {
    const OfaLevel& level = model.levels[i];
    const auto side = static_cast<int>(level.resolution);
    Result<kernels::Plan> plan =
        kernels::Plan::build(elastic.layers(model.supernet, level.subnet), {3, side, side});
    if (!plan) return Error{plan.error().code, "level " + std::to_string(i) + ", " + plan.error().message};
    elastic.arena_.merge(plan->arena());
    elastic.plans_.push_back(std::move(*plan));
  }
  return elastic;
}

std::size_t ElasticModel::bytes() const {
  std::size_t total = weights_.bytes();
  for (const kernels::Plan& plan : plans_) total += plan.bytes();
  return total;
}

namespace {
class ElasticExecutor final : public OfaExecutor {
 public:
  explicit ElasticExecutor(std::shared_ptr<const ElasticModel> model)
      : model_(std::move(model)), arena_(model_->arena()) {
    std::size_t largest = 0;
    for (const kernels::Plan& plan : model_->plans()) largest = std::max(largest, floats(plan));
    image_ = kernels::FloatBuffer(largest);
  }

  std::span<float> input(std::uint32_t level) override {
    return image_.span().first(floats(model_->plans()[level]));
  }

  Result<std::span<const float>> run(std::uint32_t level) override {
    const kernels::FlushDenormals flush;
    return kernels::run(model_->plans()[level], arena_, input(level));
  }

 private:
  static std::size_t floats(const kernels::Plan& plan) {
    return plan.input().pixels() * static_cast<std::size_t>(plan.input().channels);
  }

  std::shared_ptr<const ElasticModel> model_;
  kernels::Arena arena_;
  kernels::FloatBuffer image_;  ///< large enough for every level
};

class ElasticBackend final : public OfaBackend {
 public:
  explicit ElasticBackend(ElasticModel model)
      : model_(std::make_shared<const ElasticModel>(std::move(model))) {}

  std::uint64_t resident_bytes() const override { return model_->bytes(); }
  bool lock_weights() const override { return model_->lock(); }
  Result<std::unique_ptr<OfaExecutor>> make_executor() const override {
    return std::unique_ptr<OfaExecutor>(std::make_unique<ElasticExecutor>(model_));
  }

 private:
  std::shared_ptr<const ElasticModel> model_;
};
}  // namespace

Result<std::shared_ptr<const OfaBackend>> make_elastic_backend(const std::shared_ptr<const OfaModel>& model) {
  Result<ElasticModel> elastic = ElasticModel::make(*model);
  if (!elastic) return elastic.error();
  return std::shared_ptr<const OfaBackend>(std::make_shared<ElasticBackend>(std::move(*elastic)));
}

}  // namespace dofa::engine
