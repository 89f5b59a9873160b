// SPDX-License-Identifier: Apache-2.0
#include "models/search/trainer.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <random>

namespace dofa::search {
namespace {

constexpr std::size_t kLeastSamples = 10;
constexpr std::size_t kFolds = 5;  // one of which is held out
constexpr std::int64_t kHidden = 64;
constexpr int kSteps = 3000;
constexpr double kRate = 1e-2, kDecay = 1;  // AdamW; strong decay, for samples are few
constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kTiny = 1e-8;

/// A weight with AdamW's two averages.
struct Parameter {
  at::Tensor value, first, second;
  void step(const at::Tensor& gradient, int t, double decay) {
    const double progress = static_cast<double>(t) / kSteps;
    const double rate = kRate * 0.5 * (1 + std::cos(progress * M_PI));
    first.mul_(kBeta1).add_(gradient, 1 - kBeta1);
    second.mul_(kBeta2).addcmul_(gradient, gradient, 1 - kBeta2);
    const double correct1 = 1 - std::pow(kBeta1, t), correct2 = 1 - std::pow(kBeta2, t);
    value.mul_(1 - rate * decay);
    value.addcdiv_(first, (second / correct2).sqrt_().add_(kTiny), -rate / correct1);
  }
};

Parameter parameter(std::vector<std::int64_t> shape, double deviation, std::mt19937& random) {
  at::Tensor value = at::zeros(shape);
  std::normal_distribution<float> normal(0, static_cast<float>(deviation));
  float* values = value.data_ptr<float>();
  for (std::int64_t i = 0; deviation > 0 && i < value.numel(); ++i) values[i] = normal(random);
  return {value, at::zeros_like(value), at::zeros_like(value)};
}

checkpoint::FloatTensor stored(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous();
  return {flat.sizes().vec(), {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()}};
}

engine::FloatTensors train(const Encoding& encoding, const at::Tensor& x, const at::Tensor& top1) {
  const double mean = top1.mean().item<double>();
  const double deviation = std::max(1e-6, std::sqrt((top1 - mean).square().mean().item<double>()));
  const at::Tensor wanted = (top1 - mean) / deviation;
  const auto inputs = static_cast<std::int64_t>(encoding.inputs());
  std::mt19937 random(1);
  Parameter w1 = parameter({kHidden, inputs}, std::sqrt(2.0 / (2 * kBlocks)), random);
  Parameter b1 = parameter({kHidden}, 0, random);
  Parameter w2 = parameter({1, kHidden}, std::sqrt(1.0 / kHidden), random);
  Parameter b2 = parameter({1}, 0, random);
  const auto count = static_cast<double>(x.size(0));
  for (int t = 1; t <= kSteps; ++t) {
    const at::Tensor hidden = at::addmm(b1.value, x, w1.value.t()).relu_();
    const at::Tensor answer = at::addmm(b2.value, hidden, w2.value.t());    // (N, 1)
    const at::Tensor slope = (answer - wanted.unsqueeze(1)) * (2 / count);  // of the mean squared error
    const at::Tensor back = at::mm(slope, w2.value) * (hidden > 0);         // (N, hidden)
    w2.step(at::mm(slope.t(), hidden), t, kDecay);
    b2.step(slope.sum(0), t, 0);
    w1.step(at::mm(back.t(), x), t, kDecay);
    b1.step(back.sum(0), t, 0);
  }
  engine::FloatTensors tensors;
  tensors["0.weight"] = stored(w1.value);
  tensors["0.bias"] = stored(b1.value);
  tensors["2.weight"] = stored(w2.value * deviation);
  tensors["2.bias"] = stored(b2.value * deviation + mean);
  store_encoding(encoding, tensors);
  return tensors;
}

}  // namespace

double kendall_tau(std::span<const double> a, std::span<const double> b) {
  double agreeing = 0, pairs = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j, ++pairs) {
      const double product = (a[i] - a[j]) * (b[i] - b[j]);
      agreeing += product > 0 ? 1 : product < 0 ? -1 : 0;
    }
  }
  return pairs > 0 ? agreeing / pairs : 0;
}

Result<Fit> fit_predictor(const Encoding& encoding, std::span<const Sample> samples) {
  if (samples.size() < kLeastSamples)
    return Error{ErrorCode::kInvalidArgument,
                 "an accuracy predictor needs at least " + std::to_string(kLeastSamples) +
                     " evaluated sub-networks, not " + std::to_string(samples.size())};
  const c10::InferenceMode no_gradients;
  const auto count = static_cast<std::int64_t>(samples.size());
  at::Tensor x = at::zeros({count, static_cast<std::int64_t>(encoding.inputs())});
  at::Tensor top1 = at::zeros({count});
  std::vector<std::int64_t> seen, unseen;
  for (std::int64_t i = 0; i < count; ++i) {
    const Sample& sample = samples[static_cast<std::size_t>(i)];
    const auto ones = encoding.ones(sample.candidate);
    if (!ones) return ones.error();
    for (const std::uint32_t input : *ones) x.data_ptr<float>()[i * x.size(1) + input] = 1;
    top1.data_ptr<float>()[i] = static_cast<float>(sample.top1);
    (i % kFolds == kFolds - 1 ? unseen : seen).push_back(i);
  }
  const at::Tensor rows = at::tensor(seen);
  const auto judged =
      AccuracyPredictor::make(train(encoding, x.index_select(0, rows), top1.index_select(0, rows)));
  if (!judged) return judged.error();
  Fit fit;
  std::vector<double> predicted, measured;
  for (const std::int64_t i : unseen) {
    const Sample& sample = samples[static_cast<std::size_t>(i)];
    const auto guess = judged->predict(sample.candidate);
    if (!guess) return guess.error();
    predicted.push_back(*guess);
    measured.push_back(sample.top1);
    fit.mean_error += std::abs(*guess - sample.top1) / static_cast<double>(unseen.size());
  }
  fit.held_out = unseen.size();
  fit.kendall_tau = kendall_tau(predicted, measured);
  fit.tensors = train(encoding, x, top1);
  return fit;
}

}  // namespace dofa::search
