// SPDX-License-Identifier: Apache-2.0
#include "models/search/predictor.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>

#include "daemon/engine/checkpoint/checkpoint.hpp"

namespace dofa::search {
namespace {

constexpr std::int64_t kBatch = 512;  // activations of a batch stay in L2
constexpr std::int64_t kWidest = 65536;

Error invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

template <class Value>
Result<std::vector<Value>> choices_of(const engine::FloatTensors& tensors, const std::string& name,
                                      const std::vector<Value>& otherwise, float least, float most) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) return otherwise;
  std::vector<Value> choices;
  for (const float value : found->second.values) {
    if (!(value >= least && value <= most) || value != std::floor(value) ||
        (!choices.empty() && static_cast<float>(choices.back()) >= value))
      return invalid("tensor '" + name + "' is no rising list of choices");
    choices.push_back(static_cast<Value>(value));
  }
  if (choices.empty()) return invalid("tensor '" + name + "' is empty");
  return choices;
}

Result<Encoding> encoding_of(const engine::FloatTensors& tensors) {
  const Encoding published;
  const auto kernels = choices_of(tensors, "encoding.kernels", published.kernels, 1, 31);
  if (!kernels) return kernels.error();
  const auto ratios = choices_of(tensors, "encoding.ratios", published.ratios, 1, 31);
  if (!ratios) return ratios.error();
  const auto resolutions = choices_of(tensors, "encoding.resolutions", published.resolutions, 16, 1024);
  if (!resolutions) return resolutions.error();
  const bool published_sizes = !tensors.contains("encoding.resolutions");
  return Encoding{*kernels, *ratios, *resolutions, published_sizes ? published.least_trained : 0};
}

template <class Value>
std::int64_t position(const std::vector<Value>& choices, Value value) {
  const auto found = std::ranges::find(choices, value);
  return found == choices.end() ? -1 : found - choices.begin();
}

template <class Value>
Result<void> offers(const std::vector<Value>& known, const std::vector<Value>& wanted, const char* what) {
  for (const Value value : wanted)
    if (position(known, value) < 0)
      return Error{ErrorCode::kNotSupported,
                   "the accuracy predictor does not know " + std::string(what) + " " + std::to_string(value)};
  return {};
}

}  // namespace

Result<std::vector<std::uint32_t>> Encoding::ones(const Candidate& candidate) const {
  const config::OfaArchitecture& architecture = candidate.architecture;
  std::vector<std::uint32_t> kernel_ones, ratio_ones;
  for (std::size_t i = 0; i < kBlocks; ++i) {
    const std::size_t stage = i / engine::kBlocksPerStage;
    if (i % engine::kBlocksPerStage >= architecture.depths[stage]) continue;
    const std::int64_t kernel = position(kernels, architecture.kernel_sizes[i]);
    const std::int64_t ratio = position(ratios, architecture.expand_ratios[i]);
    if (kernel < 0 || ratio < 0)
      return invalid("block " + std::to_string(i + 1) +
                     " has a kernel size or expand ratio without an input");
    kernel_ones.push_back(static_cast<std::uint32_t>(i * kernels.size() + kernel));
    ratio_ones.push_back(static_cast<std::uint32_t>(kBlocks * kernels.size() + i * ratios.size() + ratio));
  }
  const std::int64_t resolution = position(resolutions, candidate.resolution);
  if (resolution < 0) return invalid("resolution " + std::to_string(candidate.resolution) + " has no input");
  kernel_ones.insert(kernel_ones.end(), ratio_ones.begin(), ratio_ones.end());
  kernel_ones.push_back(static_cast<std::uint32_t>(kBlocks * (kernels.size() + ratios.size()) + resolution));
  return kernel_ones;
}

/// The first layer's rows are stored by input, since on one-hot inputs the layer is a sum of few rows; a
/// block's kernel and ratio always come together, so each pair has one row. The others are ATen's.
struct AccuracyPredictor::Layers {
  Encoding encoding;
  std::int64_t width = 0;           ///< outputs of the first layer
  std::vector<float> bias;          ///< of the first layer
  std::vector<float> pairs;         ///< [block][kernel][ratio][width]
  std::vector<float> resolutions;   ///< [resolution][width]
  std::vector<at::Tensor> weights;  ///< of the others, transposed: (in, out)
  std::vector<at::Tensor> biases;

  [[nodiscard]] const float* pair(std::size_t block, std::size_t kernel, std::size_t ratio) const {
    return pairs.data() + ((block * encoding.kernels.size() + kernel) * encoding.ratios.size() + ratio) *
                              static_cast<std::size_t>(width);
  }
  void set_first(const engine::FloatTensors& tensors);
  void sum_rows(const Space& space, const Genome& genome, float* out) const;
};

void AccuracyPredictor::Layers::set_first(const engine::FloatTensors& tensors) {
  const std::vector<float>& matrix = tensors.at("0.weight").values;  // [width][inputs]
  bias = tensors.at("0.bias").values;
  const std::size_t inputs = encoding.inputs();
  const std::size_t kernels = encoding.kernels.size(), ratios = encoding.ratios.size();
  const auto rows = static_cast<std::size_t>(width);
  for (std::size_t i = 0; i < kBlocks; ++i)
    for (std::size_t kernel = 0; kernel < kernels; ++kernel)
      for (std::size_t ratio = 0; ratio < ratios; ++ratio)
        for (std::size_t row = 0; row < rows; ++row)
          pairs.push_back(matrix[row * inputs + i * kernels + kernel] +
                          matrix[row * inputs + kBlocks * kernels + i * ratios + ratio]);
  for (std::size_t i = 0; i < encoding.resolutions.size(); ++i)
    for (std::size_t row = 0; row < rows; ++row)
      resolutions.push_back(matrix[row * inputs + kBlocks * (kernels + ratios) + i]);
}

void AccuracyPredictor::Layers::sum_rows(const Space& space, const Genome& genome, float* out) const {
  const auto add = [&](const float* row) {
    for (std::int64_t i = 0; i < width; ++i) out[i] += row[i];
  };
  std::ranges::copy(bias, out);
  for (std::size_t stage = 0; stage < engine::kStages; ++stage) {
    const std::size_t depth = space.depth(genome, stage);
    for (std::size_t i = 0; i < depth; ++i) {
      const std::size_t block = stage * engine::kBlocksPerStage + i;
      add(pair(
          block, static_cast<std::size_t>(position(encoding.kernels, space.kernels[genome[block]])),
          static_cast<std::size_t>(position(encoding.ratios, space.ratios[genome[kFirstRatio + block]]))));
    }
  }
  const std::int64_t resolution = position(encoding.resolutions, space.resolutions[genome[kResolution]]);
  add(resolutions.data() + resolution * width);
  for (std::int64_t i = 0; i < width; ++i) out[i] = std::max(out[i], 0.0F);
}

AccuracyPredictor::AccuracyPredictor(std::unique_ptr<Layers> layers) : layers_(std::move(layers)) {}
AccuracyPredictor::AccuracyPredictor(AccuracyPredictor&&) noexcept = default;
AccuracyPredictor& AccuracyPredictor::operator=(AccuracyPredictor&&) noexcept = default;
AccuracyPredictor::~AccuracyPredictor() = default;

Result<AccuracyPredictor> AccuracyPredictor::make(const engine::FloatTensors& tensors) {
  auto layers = std::make_unique<Layers>();
  const auto encoding = encoding_of(tensors);
  if (!encoding) return encoding.error();
  layers->encoding = *encoding;
  auto inputs = static_cast<std::int64_t>(encoding->inputs());
  std::size_t used = 0;
  for (int i = 0;; i += 2) {
    const auto weight = tensors.find(std::to_string(i) + ".weight");
    const auto bias = tensors.find(std::to_string(i) + ".bias");
    if (weight == tensors.end() && i > 0) break;
    if (weight == tensors.end() || bias == tensors.end())
      return invalid("is no accuracy predictor: layer " + std::to_string(i) + " has no weight and bias");
    const auto& shape = weight->second.shape;
    if (shape.size() != 2 || shape[0] < 1 || shape[0] > kWidest || shape[1] != inputs ||
        bias->second.shape != std::vector{shape[0]})
      return invalid("layer " + std::to_string(i) + " of the accuracy predictor does not take " +
                     std::to_string(inputs) + " inputs");
    for (const auto* tensor : {&weight->second, &bias->second})
      if (!std::ranges::all_of(tensor->values, [](float value) { return std::isfinite(value); }))
        return invalid("layer " + std::to_string(i) + " of the accuracy predictor holds NaN or infinity");
    inputs = shape[0];
    used += 2;
    if (i == 0) {
      layers->width = shape[0];
      continue;
    }
    layers->weights.push_back(at::tensor(weight->second.values).view({shape[0], shape[1]}).t().contiguous());
    layers->biases.push_back(at::tensor(bias->second.values));
  }
  if (layers->weights.empty() || inputs != 1)
    return invalid("the accuracy predictor does not end in one output");
  for (const char* name : {"encoding.kernels", "encoding.ratios", "encoding.resolutions"})
    used += tensors.contains(name) ? 1 : 0;
  if (used != tensors.size()) return invalid("the accuracy predictor holds tensors of something else");
  layers->set_first(tensors);
  return AccuracyPredictor(std::move(layers));
}

Result<AccuracyPredictor> AccuracyPredictor::read(const std::string& path) {
  const auto file = checkpoint::read_checkpoint(path);
  if (!file) return file.error();
  engine::FloatTensors tensors;
  for (const auto& [name, tensor] : file->tensors()) {
    auto values = checkpoint::to_floats(tensor);
    if (!values) return invalid(path + ": '" + name + "': " + values.error().message);
    tensors.emplace(name, checkpoint::FloatTensor{tensor.shape, std::move(*values)});
  }
  auto predictor = make(tensors);
  if (!predictor) return invalid(path + ": " + predictor.error().message);
  return predictor;
}

const Encoding& AccuracyPredictor::encoding() const {
  return layers_->encoding;
}

std::vector<std::uint32_t> AccuracyPredictor::resolutions() const {
  std::vector<std::uint32_t> trained;
  for (const std::uint32_t resolution : layers_->encoding.resolutions)
    if (resolution >= layers_->encoding.least_trained) trained.push_back(resolution);
  return trained;
}

Result<void> AccuracyPredictor::covers(const Space& space) const {
  const Encoding& known = layers_->encoding;
  if (auto fits = offers(known.kernels, space.kernels, "kernel size"); !fits) return fits;
  if (auto fits = offers(known.ratios, space.ratios, "expand ratio"); !fits) return fits;
  return offers(resolutions(), space.resolutions, "resolution");
}

void AccuracyPredictor::predict(const Space& space, std::span<const Genome> genomes,
                                std::span<double> top1) const {
  const c10::InferenceMode no_gradients;
  for (std::size_t start = 0; start < genomes.size(); start += kBatch) {
    const auto count = std::min<std::size_t>(kBatch, genomes.size() - start);
    at::Tensor x = at::empty({static_cast<std::int64_t>(count), layers_->width});
    float* rows = x.data_ptr<float>();
    for (std::size_t i = 0; i < count; ++i)
      layers_->sum_rows(space, genomes[start + i], rows + static_cast<std::int64_t>(i) * layers_->width);
    for (std::size_t i = 0; i < layers_->weights.size(); ++i) {
      x = at::addmm(layers_->biases[i], x, layers_->weights[i]);
      if (i + 1 < layers_->weights.size()) x.relu_();
    }
    const at::Tensor answers = x.contiguous();
    std::copy_n(answers.data_ptr<float>(), count, top1.begin() + static_cast<std::ptrdiff_t>(start));
  }
}

Result<double> AccuracyPredictor::predict(const Candidate& candidate) const {
  const Encoding& known = layers_->encoding;
  const Space space{known.kernels, known.ratios, {1, 2, 3, 4}, resolutions()};
  const auto genome = genome_of(space, candidate);
  if (!genome) return genome.error();
  double top1 = 0;
  predict(space, {&*genome, 1}, {&top1, 1});
  return top1;
}

void store_encoding(const Encoding& encoding, engine::FloatTensors& tensors) {
  const auto put = [&](const char* name, const auto& choices) {
    checkpoint::FloatTensor tensor{{static_cast<std::int64_t>(choices.size())}, {}};
    for (const auto choice : choices) tensor.values.push_back(static_cast<float>(choice));
    tensors[name] = std::move(tensor);
  };
  put("encoding.kernels", encoding.kernels);
  put("encoding.ratios", encoding.ratios);
  put("encoding.resolutions", encoding.resolutions);
}

}  // namespace dofa::search
