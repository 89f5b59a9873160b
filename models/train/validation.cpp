// SPDX-License-Identifier: Apache-2.0
#include "models/train/validation.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <tuple>

#include "daemon/engine/elastic.hpp"
#include "daemon/engine/preprocess.hpp"

namespace dofa::train {
namespace {

constexpr std::size_t kCalibrationBatch = 100;
constexpr std::uint64_t kCalibrationEpoch = 1ULL << 40;  // an order that no training epoch has

engine::ImageView view_of(const Images& images, std::size_t index) {
  return {reinterpret_cast<const std::byte*>(images.image(index).data()),
          {engine::PixelFormat::kRgb8, images.side, images.side, images.side * 3}};
}

/// Averages over batches of the statistics of each layer, as engine::Calibration takes them.
class Averages {
 public:
  void begin_batch(double images) {
    weight_ = images;
    total_ += images;
    next_ = 0;
  }
  void add(const BatchMoments& moments) {
    if (next_ == layers_.size())
      layers_.push_back({at::zeros_like(moments.mean), at::zeros_like(moments.mean)});
    layers_[next_].mean.add_(moments.mean, weight_);
    layers_[next_].variance.add_(moments.variance, weight_);
    ++next_;
  }
  [[nodiscard]] engine::Moments moments(std::size_t layer) const {
    return {floats(layers_[layer].mean), floats(layers_[layer].variance)};
  }

 private:
  [[nodiscard]] std::vector<float> floats(const at::Tensor& sum) const {
    const at::Tensor values = (sum / total_).to(at::kCPU, at::kFloat).contiguous();
    return {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()};
  }
  std::vector<BatchMoments> layers_;
  double weight_ = 0;
  double total_ = 0;
  std::size_t next_ = 0;
};

Result<engine::Subnet> calibrated(const Network& network, const engine::Supernet& supernet,
                                  const Candidate& candidate, const Recipe& recipe, const Images& images,
                                  std::size_t count, at::Device device) {
  auto subnet = engine::extract_subnet(supernet, candidate.architecture);
  if (!subnet) return subnet.error();
  const torch::NoGradGuard no_gradients;
  const auto order = epoch_order(images.size(), recipe.seed, kCalibrationEpoch);
  engine::Preprocessor preprocessor(preprocessing_of(recipe));
  const std::int64_t side = candidate.resolution;
  Averages averages;
  for (std::size_t start = 0; start < std::min(count, images.size()); start += kCalibrationBatch) {
    const std::size_t batch = std::min(kCalibrationBatch, std::min(count, images.size()) - start);
    at::Tensor input = at::empty({static_cast<std::int64_t>(batch), 3, side, side});
    const auto floats = static_cast<std::size_t>(3 * side * side);
    for (std::size_t i = 0; i < batch; ++i) {
      const std::span<float> out(input.data_ptr<float>() + i * floats, floats);
      if (const auto done = preprocessor.run(view_of(images, order[start + i]), candidate.resolution, out);
          !done)
        return done.error();
    }
    averages.begin_batch(static_cast<double>(batch));
    std::ignore = network.forward(candidate.architecture, input.permute({0, 2, 3, 1}).contiguous().to(device),
                                  [&](const BatchMoments& moments) { averages.add(moments); });
  }
  std::size_t layer = 0;
  for (const engine::NormLayer& norm : engine::norm_layers(supernet, *subnet))
    *norm.moments = averages.moments(layer++);
  return subnet;
}

}  // namespace

config::Preprocessing preprocessing_of(const Recipe& recipe) {
  return {1.0F, recipe.mean, recipe.deviation};
}

config::OfaSupernet strides_of(const Space& space) {
  config::OfaSupernet supernet;
  supernet.width = space.width;
  supernet.stem_stride = space.stem_stride;
  supernet.stage_strides = space.stage_strides;
  return supernet;
}

Result<std::vector<double>> validate(const Network& network, const engine::FloatTensors& weights,
                                     const std::vector<Candidate>& candidates, const Recipe& recipe,
                                     const Images& calibration, std::size_t calibration_images,
                                     const Images& validation, at::Device device) {
  auto supernet = engine::make_supernet(weights, strides_of(recipe.space));
  if (!supernet) return supernet.error();
  auto model = std::make_shared<engine::OfaModel>(engine::OfaModel{std::move(*supernet), {}});
  for (const Candidate& candidate : candidates) {
    auto subnet =
        calibrated(network, model->supernet, candidate, recipe, calibration, calibration_images, device);
    if (!subnet) return subnet.error();
    model->levels.push_back({candidate.resolution, std::move(*subnet)});
  }
  const auto backend = engine::make_elastic_backend(model);
  if (!backend) return backend.error();
  const auto executor = (*backend)->make_executor();
  if (!executor) return executor.error();
  engine::Preprocessor preprocessor(preprocessing_of(recipe));
  std::vector<double> top1(candidates.size(), 0.0);
  for (std::size_t i = 0; i < validation.size(); ++i) {
    for (std::uint32_t level = 0; level < candidates.size(); ++level) {
      const auto prepared =
          preprocessor.run(view_of(validation, i), candidates[level].resolution, (*executor)->input(level));
      if (!prepared) return prepared.error();
      const auto logits = (*executor)->run(level);
      if (!logits) return logits.error();
      const auto best = std::ranges::max_element(*logits) - logits->begin();
      top1[level] += static_cast<std::uint32_t>(best) == validation.labels[i] ? 1.0 : 0.0;
    }
  }
  for (double& value : top1) value /= static_cast<double>(validation.size());
  return top1;
}

}  // namespace dofa::train
