// SPDX-License-Identifier: Apache-2.0
#include "models/tool/measure.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <random>

#include "daemon/engine/elastic.hpp"
#include "daemon/engine/kernels/run.hpp"
#include "daemon/engine/kernels/simd.hpp"

namespace dofa::tool {
namespace {

namespace kernels = engine::kernels;

/// Variance of each output of a matrix [out][columns] whose first `in` inputs have variance 1.
std::vector<float> row_energy(const std::vector<float>& matrix, std::size_t out, std::size_t columns,
                              std::size_t in) {
  std::vector<float> energy(out);
  for (std::size_t row = 0; row < out; ++row)
    for (std::size_t i = 0; i < in; ++i) energy[row] += matrix[row * columns + i] * matrix[row * columns + i];
  return energy;
}

engine::Moments centred(std::vector<float> variance) {
  for (float& value : variance) value = std::max(value, 1e-6F);
  std::vector<float> mean(variance.size());
  return {std::move(mean), std::move(variance)};
}

/// Statistics as if every layer's inputs were independent and of variance 1: they keep any weights' signals
/// from fading or growing beyond float's range.
void make_up_statistics(const engine::Supernet& net, engine::Subnet& subnet) {
  subnet.stem = centred(row_energy(net.stem_weight, net.stem_channels, 27, 27));
  for (engine::SubnetBlock& block : subnet.blocks) {
    const engine::SupernetBlock& source = net.blocks[block.source];
    const std::size_t mid = block.mid_channels;
    const std::size_t taps = std::size_t{block.kernel} * block.kernel;
    if (!source.expand_weight.empty())
      block.expand = centred(row_energy(source.expand_weight, mid, source.in_channels, source.in_channels));
    block.depthwise = centred(row_energy(source.depthwise_weight(block.kernel), mid, taps, taps));
    block.project =
        centred(row_energy(source.project_weight, source.out_channels, source.max_mid_channels, mid));
  }
  const std::size_t last = net.blocks.back().out_channels;
  subnet.final_expand = centred(row_energy(net.final_weight, net.final_channels, last, last));
}

/// Names of a candidate's layers in the order of the kernels' steps.
std::vector<std::string> step_layers(const search::Outline& outline, const search::Candidate& candidate) {
  const search::FixedNames fixed = search::fixed_names(outline, candidate.resolution);
  const auto sides = search::stage_sides(outline, candidate.resolution);
  std::vector<std::string> names{fixed.stem};
  for (std::size_t stage = 0; stage < engine::kStages; ++stage) {
    for (std::size_t i = 0; i < candidate.architecture.depths[stage]; ++i) {
      const std::size_t block = stage * engine::kBlocksPerStage + i;
      names.push_back(search::layer_name({outline.blocks[stage][i], sides[i == 0 ? stage : stage + 1],
                                          candidate.architecture.kernel_sizes[block],
                                          candidate.architecture.expand_ratios[block]}));
    }
  }
  names.insert(names.end(), {fixed.final_expand, fixed.feature_mix, fixed.classifier});
  return names;
}

}  // namespace

struct Measurer::Model {
  engine::OfaModel weights;
  std::optional<engine::ElasticModel> elastic;
  std::optional<kernels::Arena> arena;
  std::vector<float> image;

  [[nodiscard]] std::span<const float> input(const kernels::Plan& plan) const {
    return std::span(image).first(plan.input().pixels() * static_cast<std::size_t>(plan.input().channels));
  }
};

Measurer::Measurer(engine::Supernet supernet) : model_(std::make_unique<Model>()) {
  model_->weights.supernet = std::move(supernet);
}
Measurer::~Measurer() = default;
const engine::Supernet& Measurer::supernet() const {
  return model_->weights.supernet;
}

Result<void> Measurer::load(std::span<const search::Candidate> candidates) {
  Model& model = *model_;
  model.weights.levels.clear();
  std::size_t largest = 0;
  for (const search::Candidate& candidate : candidates) {
    auto subnet = engine::extract_subnet(model.weights.supernet, candidate.architecture);
    if (!subnet) return subnet.error();
    make_up_statistics(model.weights.supernet, *subnet);
    model.weights.levels.push_back({candidate.resolution, std::move(*subnet)});
    largest = std::max<std::size_t>(largest, candidate.resolution);
  }
  auto elastic = engine::ElasticModel::make(model.weights);
  if (!elastic) return elastic.error();
  model.elastic.emplace(std::move(*elastic));
  model.arena.emplace(model.elastic->arena());
  std::mt19937 random(1);
  std::normal_distribution<float> pixels;
  model.image.resize(3 * largest * largest);
  for (float& pixel : model.image) pixel = pixels(random);
  return {};
}

Result<std::vector<NetworkTime>> Measurer::networks(std::span<const search::Candidate> candidates,
                                                    std::size_t rounds, const OnRound& on_round) {
  if (const auto loaded = load(candidates); !loaded) return loaded.error();
  const kernels::FlushDenormals flush;
  const std::vector<kernels::Plan>& plans = model_->elastic->plans();
  std::vector<std::vector<double>> times(plans.size());
  for (std::size_t round = 0; round <= rounds; ++round) {
    for (std::size_t i = 0; i < plans.size(); ++i) {
      const std::int64_t start = kernels::thread_time_ns();
      const auto logits = kernels::run(plans[i], *model_->arena, model_->input(plans[i]));
      const std::int64_t taken = kernels::thread_time_ns() - start;
      if (!logits) return logits.error();
      if (round > 0) times[i].push_back(static_cast<double>(taken) * 1e-3);
    }
    if (on_round && round > 0) on_round();
  }
  std::vector<NetworkTime> result;
  for (std::vector<double>& list : times) {
    std::ranges::sort(list);
    result.push_back({list.front(), list[list.size() / 2]});
  }
  return result;
}

Result<std::map<std::string, search::LayerTime>> Measurer::layers(const search::Space& space,
                                                                  std::uint32_t resolution,
                                                                  std::size_t rounds,
                                                                  const OnRound& on_round) {
  const std::vector<search::Candidate> candidates = search::covering_networks(space, resolution);
  if (const auto loaded = load(candidates); !loaded) return loaded.error();
  const search::Outline outline = search::outline_of(model_->weights.supernet);
  const kernels::FlushDenormals flush;
  const std::vector<kernels::Plan>& plans = model_->elastic->plans();
  // By layer, then a list of times for each step of a network that is this layer.
  std::map<std::string, std::vector<std::vector<double>>> times;
  struct Place {
    std::string layer;
    std::size_t list;
  };
  std::vector<std::vector<Place>> places;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    places.emplace_back();
    for (const std::string& layer : step_layers(outline, candidates[i])) {
      places[i].push_back({layer, times[layer].size()});
      times[layer].emplace_back();
    }
    if (places[i].size() != plans[i].steps().size())
      return Error{ErrorCode::kNotSupported, "the kernels group this network's layers in another way"};
  }
  std::vector<std::int64_t> step_ns;
  for (std::size_t round = 0; round <= rounds; ++round) {
    for (std::size_t i = 0; i < plans.size(); ++i) {
      step_ns.assign(plans[i].steps().size(), 0);
      const auto logits = kernels::run_timed(plans[i], *model_->arena, model_->input(plans[i]), step_ns);
      if (!logits) return logits.error();
      for (std::size_t step = 0; round > 0 && step < step_ns.size(); ++step)
        times[places[i][step].layer][places[i][step].list].push_back(static_cast<double>(step_ns[step]) *
                                                                     1e-3);
    }
    if (on_round && round > 0) on_round();
  }
  std::map<std::string, search::LayerTime> layers;
  for (const auto& [layer, runs] : times) layers.emplace(layer, search::summarise(runs));
  const search::FixedNames fixed = search::fixed_names(outline, resolution);
  layers.emplace(fixed.first_block, search::LayerTime{});  // with the stem
  layers.emplace(fixed.pool, search::LayerTime{});         // with the final 1x1
  return layers;
}

std::string machine_name() {
  std::ifstream file("/proc/cpuinfo");
  std::string line, name;
  while (name.empty() && std::getline(file, line))
    for (const char* key : {"model name", "Model", "Hardware"})
      if (line.starts_with(key) && line.find(": ") != std::string::npos)
        name = line.substr(line.find(": ") + 2);
  utsname system{};
  if (name.empty() && uname(&system) == 0) name = system.machine;
  return name + ", " + kernels::simd_target();
}

}  // namespace dofa::tool
