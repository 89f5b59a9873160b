// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/calibration.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "daemon/engine/reference.hpp"

namespace dofa::engine {
namespace {

void accumulate(std::vector<double>& sums, const at::Tensor& values, double weight) {
  const at::Tensor contiguous = values.contiguous();
  const float* value = contiguous.data_ptr<float>();
  sums.resize(static_cast<std::size_t>(values.numel()), 0.0);
  for (double& sum : sums) sum += weight * *value++;
}

std::vector<float> average(const std::vector<double>& sums, std::int64_t count) {
  std::vector<float> averages;
  for (const double sum : sums) averages.push_back(static_cast<float>(sum / static_cast<double>(count)));
  return averages;
}

std::vector<float> to_vector(const at::Tensor& values) {
  const at::Tensor contiguous = values.contiguous();
  return {contiguous.data_ptr<float>(), contiguous.data_ptr<float>() + contiguous.numel()};
}

}  // namespace

at::Tensor Calibration::normalise(const at::Tensor& x, const BatchNorm& norm, const Moments& moments) {
  const at::Tensor mean = x.mean({0, 2, 3}, true);
  const at::Tensor variance = (x - mean).square().mean({0, 2, 3});
  Sums& sums = sums_[&moments];
  const auto weight = static_cast<double>(x.size(0));
  accumulate(sums.mean, mean.flatten(), weight);
  accumulate(sums.variance, variance, weight);
  return normalise_with_moments(x, norm, {to_vector(mean), to_vector(variance)});
}

void Calibration::add(const at::Tensor& images) {
  const c10::InferenceMode no_gradients;
  run_reference(supernet_, subnet_, images,
                [this](const at::Tensor& x, const BatchNorm& norm, const Moments& moments) {
                  return normalise(x, norm, moments);
                });
  images_ += images.size(0);
}

Statistics Calibration::statistics() {
  Statistics statistics;
  for (const NormLayer& layer : norm_layers(supernet_, subnet_)) {
    const auto sums = sums_.find(layer.moments);
    if (sums == sums_.end()) continue;
    statistics[layer.name] = {average(sums->second.mean, images_), average(sums->second.variance, images_)};
  }
  return statistics;
}

}  // namespace dofa::engine
