// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/engine/random_ofa.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <fstream>
#include <random>
#include <stdexcept>
#include <utility>

#include "daemon/engine/calibration.hpp"
#include "daemon/engine/checkpoint/checkpoint.hpp"

namespace dofa::bench {
namespace {
using engine::FloatTensors;

struct Architecture {
  const char* name;
  config::OfaArchitecture choices;
  std::uint32_t resolution;
};

// The six levels that Lou et al. (CVPRW 2021) publish for width 1.2.
constexpr Architecture kPaper[] = {{"paper0",
                                    {{5, 7, 7, 7, 3, 5, 5, 7, 7, 7, 5, 3, 5, 3, 3, 7, 3, 3, 7, 7},
                                     {6, 4, 4, 6, 4, 3, 6, 4, 6, 4, 4, 6, 4, 6, 4, 6, 4, 3, 3, 4},
                                     {3, 2, 3, 2, 2}},
                                    176},
                                   {"paper1",
                                    {{7, 3, 5, 7, 7, 3, 5, 7, 5, 7, 5, 3, 5, 3, 3, 5, 3, 3, 3, 7},
                                     {6, 4, 4, 4, 4, 6, 6, 6, 3, 3, 4, 6, 4, 6, 6, 3, 4, 3, 3, 3},
                                     {3, 2, 3, 3, 2}},
                                    176},
                                   {"paper2",
                                    {{5, 5, 7, 3, 7, 7, 7, 3, 7, 7, 7, 5, 7, 7, 7, 3, 7, 7, 7, 7},
                                     {3, 4, 3, 4, 4, 4, 4, 3, 4, 4, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4},
                                     {3, 3, 3, 3, 3}},
                                    192},
                                   {"paper3",
                                    {{7, 3, 5, 3, 5, 7, 3, 3, 5, 5, 5, 7, 7, 7, 5, 5, 3, 3, 3, 7},
                                     {6, 6, 3, 3, 4, 4, 3, 3, 6, 4, 4, 4, 6, 4, 4, 6, 4, 6, 3, 3},
                                     {2, 3, 3, 3, 4}},
                                    208},
                                   {"paper4",
                                    {{5, 3, 3, 7, 7, 3, 3, 3, 7, 5, 3, 5, 7, 5, 7, 3, 7, 7, 5, 7},
                                     {6, 6, 4, 3, 4, 6, 6, 3, 4, 6, 3, 4, 6, 6, 6, 6, 4, 4, 4, 6},
                                     {2, 4, 4, 4, 3}},
                                    224},
                                   {"paper5",
                                    {{5, 5, 5, 5, 5, 7, 7, 3, 5, 7, 7, 7, 7, 7, 5, 5, 7, 5, 5, 5},
                                     {6, 6, 6, 6, 6, 6, 4, 6, 6, 4, 6, 6, 6, 6, 6, 6, 6, 6, 6, 3},
                                     {4, 4, 4, 4, 4}},
                                    224}};

config::OfaArchitecture uniform(std::uint8_t kernel, std::uint8_t ratio, std::uint8_t depth) {
  config::OfaArchitecture a;
  a.kernel_sizes.fill(kernel);
  a.expand_ratios.fill(ratio);
  a.depths.fill(depth);
  return a;
}

/// Writes tensors of a checkpoint with He's variance (the gain keeps the signal's size from layer to layer).
class RandomTensors {
 public:
  void weights(const std::string& name, std::vector<std::int64_t> shape) {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    std::normal_distribution<float> normal(
        0, std::sqrt(2.0f * static_cast<float>(shape[0]) / static_cast<float>(count)));
    fill(name, std::move(shape), count, normal);
  }
  void norm(const std::string& name, std::int64_t channels) {
    std::uniform_real_distribution<float> weight(0.8f, 1.2f), bias(-0.2f, 0.2f);
    fill(name + ".weight", {channels}, channels, weight);
    fill(name + ".bias", {channels}, channels, bias);
  }
  void bias(const std::string& name, std::int64_t channels) {
    std::uniform_real_distribution<float> values(-0.2f, 0.2f);
    fill(name, {channels}, channels, values);
  }
  FloatTensors take() { return std::move(tensors_); }

 private:
  template <class Distribution>
  void fill(const std::string& name, std::vector<std::int64_t> shape, std::int64_t count,
            Distribution& distribution) {
    auto& tensor = tensors_[name];
    tensor.shape = std::move(shape);
    for (std::int64_t i = 0; i < count; ++i) tensor.values.push_back(distribution(random_));
  }
  std::mt19937 random_{2021};
  FloatTensors tensors_;
};

engine::Statistics random_statistics(const engine::Supernet& supernet, engine::Subnet& subnet) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> mean(-0.2f, 0.2f), variance(0.7f, 1.4f);
  engine::Statistics statistics;
  for (const engine::NormLayer& layer : engine::norm_layers(supernet, subnet)) {
    engine::Moments& moments = statistics[layer.name];
    for (std::uint32_t c = 0; c < layer.channels; ++c) {
      moments.mean.push_back(mean(random));
      moments.variance.push_back(variance(random));
    }
  }
  return statistics;
}

/// Batch statistics of random pictures: with anybody's the signal fades or swells from block to block, and
/// logits that hardly depend on the input make every rounding error look large.
engine::Statistics calibrated_statistics(const engine::Supernet& supernet, const engine::Subnet& subnet,
                                         std::uint32_t resolution) {
  constexpr std::int64_t kImages = 2;
  const c10::InferenceMode no_gradients;
  at::manual_seed(7);
  engine::Calibration calibration(supernet, subnet);
  calibration.add(at::randn({kImages, 3, resolution, resolution}));
  return calibration.statistics();
}

void check(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message);
}

template <class T>
T checked(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}
}  // namespace

std::vector<NamedNet> named_nets() {
  std::vector<NamedNet> nets;
  for (const double width : {1.0, 1.2}) {
    const std::string suffix = width == 1.0 ? "-w1.0" : "-w1.2";
    nets.push_back({"smallest" + suffix, width, uniform(3, 3, 2), 128});
    nets.push_back({"middle" + suffix, width, uniform(5, 4, 3), 176});
    nets.push_back({"largest" + suffix, width, uniform(7, 6, 4), 224});
    for (const Architecture& a : kPaper) nets.push_back({a.name + suffix, width, a.choices, a.resolution});
  }
  return nets;
}

NamedNet random_net(double width, unsigned seed) {
  std::mt19937 random(seed);
  const auto pick = [&](std::initializer_list<int> choices) {
    return static_cast<std::uint8_t>(
        choices.begin()[std::uniform_int_distribution<std::size_t>(0, choices.size() - 1)(random)]);
  };
  NamedNet net{"random" + std::to_string(seed), width, {}, 0};
  for (auto& kernel : net.architecture.kernel_sizes) kernel = pick({3, 5, 7});
  for (auto& ratio : net.architecture.expand_ratios) ratio = pick({3, 4, 6});
  for (auto& depth : net.architecture.depths) depth = pick({2, 3, 4});
  net.resolution = pick({128, 144, 160, 176, 192, 208, 224});
  return net;
}

FloatTensors random_tensors(double width) {
  constexpr int kStageWidths[] = {24, 40, 80, 112, 160};
  constexpr bool kSqueeze[] = {false, true, false, true, true};
  const auto scaled = [&](int channels) {
    return static_cast<std::int64_t>(engine::make_divisible(channels * width));
  };
  RandomTensors t;
  std::int64_t in = scaled(16);
  t.weights("first_conv.conv.weight", {in, 3, 3, 3});
  t.norm("first_conv.bn", in);
  t.weights("blocks.0.conv.depth_conv.conv.weight", {in, 1, 3, 3});
  t.norm("blocks.0.conv.depth_conv.bn", in);
  t.weights("blocks.0.conv.point_linear.conv.weight", {in, in, 1, 1});
  t.norm("blocks.0.conv.point_linear.bn", in);
  for (std::size_t i = 0; i < engine::kStages * engine::kBlocksPerStage; ++i) {
    const std::size_t stage = i / engine::kBlocksPerStage;
    const std::string name = "blocks." + std::to_string(i + 1) + ".conv.";
    const std::int64_t mid = engine::make_divisible(static_cast<double>(in) * 6),
                       out = scaled(kStageWidths[stage]);
    t.weights(name + "inverted_bottleneck.conv.weight", {mid, in, 1, 1});
    t.norm(name + "inverted_bottleneck.bn", mid);
    t.weights(name + "depth_conv.conv.weight", {mid, 1, 7, 7});
    t.weights(name + "depth_conv.conv.7to5_matrix", {25, 25});
    t.weights(name + "depth_conv.conv.5to3_matrix", {9, 9});
    t.norm(name + "depth_conv.bn", mid);
    if (kSqueeze[stage]) {
      const std::int64_t squeezed = engine::make_divisible(static_cast<double>(mid / 4));
      t.weights(name + "depth_conv.se.fc.reduce.weight", {squeezed, mid, 1, 1});
      t.bias(name + "depth_conv.se.fc.reduce.bias", squeezed);
      t.weights(name + "depth_conv.se.fc.expand.weight", {mid, squeezed, 1, 1});
      t.bias(name + "depth_conv.se.fc.expand.bias", mid);
    }
    t.weights(name + "point_linear.conv.weight", {out, mid, 1, 1});
    t.norm(name + "point_linear.bn", out);
    in = out;
  }
  t.weights("final_expand_layer.conv.weight", {scaled(960), in, 1, 1});
  t.norm("final_expand_layer.bn", scaled(960));
  t.weights("feature_mix_layer.conv.weight", {scaled(1280), scaled(960), 1, 1});
  t.weights("classifier.linear.weight", {1000, scaled(1280)});
  t.bias("classifier.linear.bias", 1000);
  return t.take();
}

engine::Supernet random_supernet(double width) {
  return checked(engine::make_supernet(random_tensors(width), {}));
}

std::shared_ptr<const engine::OfaModel> random_model(const std::vector<NamedNet>& nets, bool calibrated) {
  auto model = std::make_shared<engine::OfaModel>();
  model->supernet = random_supernet(nets.front().width);
  for (const NamedNet& net : nets) {
    engine::OfaLevel level{net.resolution,
                           checked(engine::extract_subnet(model->supernet, net.architecture))};
    const auto statistics = calibrated ? calibrated_statistics(model->supernet, level.subnet, net.resolution)
                                       : random_statistics(model->supernet, level.subnet);
    check(engine::set_statistics(model->supernet, level.subnet, statistics));
    model->levels.push_back(std::move(level));
  }
  return model;
}

void write_random_family(const std::vector<NamedNet>& nets, const std::string& directory) {
  const engine::FloatTensors tensors = random_tensors(nets.front().width);
  const engine::Supernet supernet = checked(engine::make_supernet(tensors, {}));
  config::FamilyFile file;
  file.name = "random";
  file.kind = config::FamilyKind::kOfaMobilenetV3;
  file.classes = supernet.classes;
  file.supernet.weights = "supernet.pt";
  file.supernet.width = nets.front().width;
  check(checkpoint::write_checkpoint(directory + "/supernet.pt", tensors));
  for (const NamedNet& net : nets) {
    engine::Subnet subnet = checked(engine::extract_subnet(supernet, net.architecture));
    config::SubnetEntry entry{net.name, net.resolution, {}, {}, net.architecture, net.name + ".bn.pt"};
    const auto statistics =
        engine::statistics_tensors(calibrated_statistics(supernet, subnet, net.resolution));
    check(checkpoint::write_checkpoint(directory + "/" + entry.statistics, statistics));
    file.subnets.push_back(std::move(entry));
  }
  std::ofstream(directory + "/family.yaml") << config::write_family(file);
}

}  // namespace dofa::bench
