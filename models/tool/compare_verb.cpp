// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "daemon/engine/gpus.hpp"
#include "daemon/engine/ofa_gpu.hpp"
#include "daemon/engine/ofa_model.hpp"
#include "daemon/engine/thread.hpp"
#include "models/tool/family_folder.hpp"
#include "models/tool/verb_list.hpp"
#include "proto/json_writer.hpp"

namespace dofa::tool {
namespace {

constexpr double kDefaultTolerance = 1e-4;

constexpr std::array<Option, 6> kOptions{{
    {"--subnets", "FILE", "architectures by name; otherwise subnets.json beside the reference file"},
    {"--tolerance", "X", "largest difference allowed, relative to the range of the logits (1e-4)"},
    {"--stem-stride", "N", "of a checkpoint: stride of the first convolution, 1 or 2 (2)"},
    {"--stage-strides", "LIST", "of a checkpoint: strides of the five stages (2,2,2,1,2)"},
    {"--cuda-precision", "P", "fp32 or fp16: of the executor 'cuda', which runs where there is a GPU (fp32)"},
    {"--json", "", "print subnets[].{name,executor,max_rel_diff} and max_rel_diff"},
}};

/// One sub-network of the reference file.
struct Case {
  std::string name;
  const checkpoint::FloatTensor* input = nullptr;   ///< [n][3][r][r]
  const checkpoint::FloatTensor* logits = nullptr;  ///< [n][classes]
};

struct Outcome {
  std::string name;
  std::string_view executor;
  double max_rel_diff = 0;
};

Error malformed(const std::string& what) {
  return {ErrorCode::kInvalidArgument, "reference file: " + what};
}

/// The sub-networks that have logits, each with a square input to go with them.
Result<std::vector<Case>> find_cases(const engine::FloatTensors& tensors) {
  std::vector<Case> cases;
  constexpr std::string_view kSuffix = "/logits";
  for (const auto& [key, tensor] : tensors) {
    if (!key.ends_with(kSuffix)) continue;
    const std::string name = key.substr(0, key.size() - kSuffix.size());
    const auto input = tensors.find(name + "/input");
    if (input == tensors.end()) return malformed("'" + name + "' has no input");
    const auto& shape = input->second.shape;
    if (shape.size() != 4 || shape[0] < 1 || shape[1] != 3 || shape[2] != shape[3] || shape[2] < 16 ||
        shape[2] > 1024 || tensor.shape.size() != 2 || tensor.shape[0] != shape[0])
      return malformed("'" + name + "' has input " + checkpoint::shape_text(shape) + " and logits " +
                       checkpoint::shape_text(tensor.shape));
    cases.push_back({name, &input->second, &tensor});
  }
  if (cases.empty()) return malformed("holds no '<name>/logits'");
  return cases;
}

Result<engine::OfaLevel> build_level(const engine::Supernet& supernet, const Case& item,
                                     const engine::FloatTensors& tensors,
                                     const std::vector<NamedArchitecture>& architectures) {
  const auto named = std::ranges::find(architectures, item.name, &NamedArchitecture::name);
  if (named == architectures.end()) return malformed("the architecture of '" + item.name + "' is not listed");
  auto subnet = engine::extract_subnet(supernet, named->architecture);
  if (!subnet) return malformed("'" + item.name + "': " + subnet.error().message);
  const std::string prefix = item.name + "/bn/";
  engine::FloatTensors own;
  for (auto at = tensors.lower_bound(prefix); at != tensors.end() && at->first.starts_with(prefix); ++at)
    own[at->first.substr(prefix.size())] = at->second;
  const auto statistics = engine::parse_statistics(own);
  if (!statistics) return malformed("'" + item.name + "': " + statistics.error().message);
  const auto set = engine::set_statistics(supernet, *subnet, *statistics);
  if (!set) return malformed("'" + item.name + "': " + set.error().message);
  return engine::OfaLevel{static_cast<std::uint32_t>(item.input->shape[2]), std::move(*subnet)};
}

/// Largest difference over all pictures, relative to the range of all expected logits.
Result<double> difference(engine::OfaExecutor& executor, std::uint32_t level, const Case& item) {
  const std::vector<float>& expected = item.logits->values;
  const auto [low, high] = std::ranges::minmax(expected);
  const auto classes = static_cast<std::size_t>(item.logits->shape[1]);
  const std::span<float> input = executor.input(level);
  double largest = 0;
  for (std::size_t i = 0; i * input.size() < item.input->values.size(); ++i) {
    std::copy_n(item.input->values.begin() + static_cast<std::ptrdiff_t>(i * input.size()), input.size(),
                input.begin());
    const auto logits = executor.run(level);
    if (!logits) return logits.error();
    if (logits->size() != classes)
      return malformed("'" + item.name + "' has " + std::to_string(classes) +
                       " logits where the model answers " + std::to_string(logits->size()));
    for (std::size_t j = 0; j < classes; ++j) {
      const double one =
          std::abs(static_cast<double>((*logits)[j]) - static_cast<double>(expected[i * classes + j]));
      largest = std::isfinite(one) ? std::max(largest, one) : HUGE_VAL;
    }
  }
  return largest / static_cast<double>(high - low);
}

using Maker =
    Result<std::shared_ptr<const engine::OfaBackend>> (*)(const std::shared_ptr<const engine::OfaModel>&);

Result<std::shared_ptr<const engine::OfaBackend>> make_cuda_exact(
    const std::shared_ptr<const engine::OfaModel>& model) {
  return engine::make_ofa_gpu_backend(model, {engine::GpuPrecision::kFloat, 1});
}
Result<std::shared_ptr<const engine::OfaBackend>> make_cuda_half(
    const std::shared_ptr<const engine::OfaModel>& model) {
  return engine::make_ofa_gpu_backend(model, {engine::GpuPrecision::kHalf, 1});
}

/// Every way to run a model that this machine has.
Result<std::vector<Outcome>> compare_all(const std::shared_ptr<const engine::OfaModel>& model,
                                         const std::vector<Case>& cases, Maker make_cuda) {
  std::vector<std::pair<std::string_view, Maker>> executors;
  for (const engine::OfaBackendEntry& entry : engine::ofa_backends())
    executors.emplace_back(entry.name, entry.make);
  if (!engine::find_gpus().empty()) executors.emplace_back("cuda", make_cuda);
  std::vector<Outcome> outcomes;
  for (const auto& [name, make] : executors) {
    const auto backend = make(model);
    if (!backend && backend.error().code == ErrorCode::kNotSupported) {
      std::fprintf(stderr, "dofa-model: executor '%s' is left out: %s\n", std::string(name).c_str(),
                   backend.error().message.c_str());
      continue;
    }
    if (!backend) return backend.error();
    auto executor = (*backend)->make_executor();
    if (!executor) return executor.error();
    for (std::uint32_t level = 0; level < cases.size(); ++level) {
      const auto largest = difference(**executor, level, cases[level]);
      if (!largest) return largest.error();
      outcomes.push_back({cases[level].name, name, *largest});
    }
  }
  return outcomes;
}

Result<int> run(const Arguments& arguments) {
  const auto& words = arguments.positional(2, 2);
  const double tolerance = arguments.number("--tolerance", kDefaultTolerance, 0, 1);
  const std::string precision = arguments.text("--cuda-precision").value_or("fp32");
  if (precision != "fp32" && precision != "fp16") throw UsageError{"--cuda-precision takes fp32 or fp16"};
  auto supernet = open_supernet(words[0], strides_of(arguments));
  if (!supernet) return supernet.error();
  const auto checkpoint = checkpoint::read_checkpoint(words[1]);
  if (!checkpoint) return checkpoint.error();
  const auto tensors = engine::canonical_tensors(*checkpoint);
  if (!tensors) return malformed(tensors.error().message);
  const auto cases = find_cases(*tensors);
  if (!cases) return cases.error();
  const auto beside = std::filesystem::path(words[1]).parent_path() / "subnets.json";
  const auto architectures = read_architectures(arguments.text("--subnets").value_or(beside.string()));
  if (!architectures) return architectures.error();

  auto model = std::make_shared<engine::OfaModel>(engine::OfaModel{std::move(*supernet), {}});
  for (const Case& item : *cases) {
    auto level = build_level(model->supernet, item, *tensors, *architectures);
    if (!level) return level.error();
    model->levels.push_back(std::move(*level));
  }
  engine::prepare_inference_thread(true);
  const auto outcomes = compare_all(model, *cases, precision == "fp16" ? make_cuda_half : make_cuda_exact);
  if (!outcomes) return outcomes.error();

  const double largest = std::ranges::max(*outcomes, {}, &Outcome::max_rel_diff).max_rel_diff;
  json::Writer writer;
  writer.begin_object().member("schema", 1).key("subnets").begin_array();
  for (const Outcome& outcome : *outcomes) {
    writer.begin_object().member("name", outcome.name).member("executor", outcome.executor);
    writer.member("max_rel_diff", outcome.max_rel_diff).end_object();
    if (!arguments.json())
      std::printf("%-24s %-10s %.2e\n", outcome.name.c_str(), std::string(outcome.executor).c_str(),
                  outcome.max_rel_diff);
  }
  writer.end_array().member("max_rel_diff", largest).member("tolerance", tolerance).end_object();
  if (arguments.json()) std::puts(writer.text().c_str());
  if (largest <= tolerance) return kExitOk;
  std::fprintf(stderr, "dofa-model: differs by %.2e of the logits' range, more than %.2e\n", largest,
               tolerance);
  return kExitFailed;
}

}  // namespace

const Verb kCompareVerb{
    "compare", "MODEL EXPECTED.pt",
    "Run the sub-networks of a reference file on a checkpoint or family and tell the difference.", kOptions,
    run};

}  // namespace dofa::tool
