// SPDX-License-Identifier: Apache-2.0
// The reference executor behind the backends' interface.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "daemon/engine/ofa_model.hpp"
#include "daemon/engine/reference.hpp"

namespace dofa::engine {
namespace {

std::uint64_t float_bytes(const Supernet& net) {
  std::uint64_t floats = 0;
  const auto add = [&](std::initializer_list<const std::vector<float>*> arrays) {
    for (const auto* array : arrays) floats += array->size();
  };
  const auto add_norm = [&](const BatchNorm& norm) { add({&norm.weight, &norm.bias}); };
  add({&net.stem_weight, &net.final_weight, &net.feature_weight, &net.classifier_weight,
       &net.classifier_bias});
  add_norm(net.stem_norm);
  add_norm(net.final_norm);
  for (const SupernetBlock& block : net.blocks) {
    const SqueezeExcite& se = block.squeeze_excite;
    add({&block.expand_weight, &block.project_weight, &se.reduce_weight, &se.reduce_bias, &se.expand_weight,
         &se.expand_bias});
    for (const auto& weights : block.depthwise_weights) add({&weights});
    for (const BatchNorm* norm : {&block.expand_norm, &block.depthwise_norm, &block.project_norm})
      add_norm(*norm);
  }
  return floats * sizeof(float);
}

std::uint64_t float_bytes(const Subnet& subnet) {
  std::uint64_t floats = 2 * (subnet.stem.mean.size() + subnet.final_expand.mean.size());
  for (const SubnetBlock& block : subnet.blocks)
    floats += 2 * (block.expand.mean.size() + block.depthwise.mean.size() + block.project.mean.size());
  return floats * sizeof(float);
}

class ReferenceExecutor final : public OfaExecutor {
 public:
  explicit ReferenceExecutor(std::shared_ptr<const OfaModel> model) : model_(std::move(model)) {
    for (const OfaLevel& level : model_->levels)
      inputs_.push_back(at::zeros({1, 3, level.resolution, level.resolution}));
  }

  std::span<float> input(std::uint32_t level) override {
    at::Tensor& input = inputs_[level];
    return {input.data_ptr<float>(), static_cast<std::size_t>(input.numel())};
  }

  Result<std::span<const float>> run(std::uint32_t level) override {
    const c10::InferenceMode no_gradients;
    try {
      logits_ = run_reference(model_->supernet, model_->levels[level].subnet, inputs_[level]).contiguous();
    } catch (const std::exception& fault) {  // out of memory, or a bug of ours that ATen's checks found
      const std::string text = fault.what();
      return Error{ErrorCode::kFailed, "LibTorch failed: " + text.substr(0, text.find('\n'))};
    }
    return std::span<const float>(logits_.data_ptr<float>(), static_cast<std::size_t>(logits_.numel()));
  }

 private:
  std::shared_ptr<const OfaModel> model_;
  std::vector<at::Tensor> inputs_;
  at::Tensor logits_;
};

class ReferenceBackend final : public OfaBackend {
 public:
  explicit ReferenceBackend(std::shared_ptr<const OfaModel> model) : model_(std::move(model)) {}

  std::uint64_t resident_bytes() const override {
    std::uint64_t bytes = float_bytes(model_->supernet);
    for (const OfaLevel& level : model_->levels) bytes += float_bytes(level.subnet);
    return bytes;
  }
  Result<std::unique_ptr<OfaExecutor>> make_executor() const override {
    return std::unique_ptr<OfaExecutor>(std::make_unique<ReferenceExecutor>(model_));
  }

 private:
  std::shared_ptr<const OfaModel> model_;
};

}  // namespace

Result<std::shared_ptr<const OfaBackend>> make_reference_backend(
    const std::shared_ptr<const OfaModel>& model) {
  return std::shared_ptr<const OfaBackend>(std::make_shared<ReferenceBackend>(model));
}

}  // namespace dofa::engine
