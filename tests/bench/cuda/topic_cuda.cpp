// SPDX-License-Identifier: Apache-2.0
// dofa-bench cuda: the paper's six levels on the first GPU, as captured graphs over shared weights, against
// LibTorch running the same levels operator by operator and in graphs of its own. Random weights: time does
// not depend on them.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <cstdio>
#include <random>

#include "daemon/engine/gpus.hpp"
#include "daemon/engine/ofa_gpu.hpp"
#include "tests/bench/cuda/eager.hpp"
#include "tests/bench/engine/options.hpp"
#include "tests/bench/engine/random_ofa.hpp"
#include "tests/support/model_family.hpp"

namespace dofa::bench {
namespace {
constexpr std::uint32_t kBatch = 8;
constexpr int kImages = 20;  ///< a level, for its answers
const std::string kProcessor = "cuda:0";

/// What a call answers, or std::runtime_error: the topic cannot go on.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}
void must(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message);
}

struct Level {
  NamedNet net;
  std::vector<double> ms, eager_ms, graphed_ms, batch_ms, first_ms;
  double max_rel_diff = 0;
  int same_top1 = 0;
};

std::unique_ptr<engine::Runner> make_runner(const std::shared_ptr<const engine::OfaModel>& model) {
  const auto gpu = engine::make_ofa_gpu(model);
  return must(gpu->make_runner(std::make_shared<test::ModelFamily>(*model), kProcessor));
}

std::vector<float> random_image(std::uint32_t side, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> image(std::size_t{3} * side * side);
  std::ranges::generate(image, [&] { return normal(random); });
  return image;
}

void prepare(engine::Runner& runner, std::uint32_t slot, std::uint32_t level, std::uint32_t side,
             unsigned seed) {
  const std::vector<float> image = random_image(side, seed);
  must(runner.prepare_in(slot, level,
                         {reinterpret_cast<const std::byte*>(image.data()),
                          {engine::PixelFormat::kFloat32Nchw, side, side, side * 4}}));
}

double timed_run(engine::Runner& runner, std::uint32_t level, std::uint32_t count = 1) {
  const auto start = std::chrono::steady_clock::now();
  (void)must(runner.run_batch(level, count));
  return milliseconds_since(start);
}

/// Against the reference executor on the CPU.
void compare(engine::Runner& runner, const std::shared_ptr<const engine::OfaModel>& model,
             std::vector<Level>& levels) {
  const auto executor = must(must(engine::make_reference_backend(model))->make_executor());
  for (std::uint32_t i = 0; i < levels.size(); ++i) {
    for (unsigned seed = 0; seed < kImages; ++seed) {
      const std::uint32_t side = levels[i].net.resolution;
      std::ranges::copy(random_image(side, seed), executor->input(i).begin());
      prepare(runner, 0, i, side, seed);
      const auto expected = must(executor->run(i)), got = must(runner.run(i));
      const auto [low, high] = std::ranges::minmax(expected);
      for (std::size_t j = 0; j < got.size(); ++j)
        levels[i].max_rel_diff =
            std::max(levels[i].max_rel_diff,
                     std::abs(double{got[j]} - double{expected[j]}) / (double{high} - double{low}));
      levels[i].same_top1 += std::ranges::max_element(got) - got.begin() ==
                             std::ranges::max_element(expected) - expected.begin();
    }
  }
}

/// Rounds over all levels, so that a disturbance hits all alike.
void measure(engine::Runner& runner, std::vector<Level>& levels, int rounds) {
  constexpr int kRuns = 20;
  for (int round = 0; round < rounds; ++round) {
    for (std::uint32_t i = 0; i < levels.size(); ++i) {
      Level& level = levels[i];
      for (std::uint32_t slot = 0; slot < kBatch; ++slot)
        prepare(runner, slot, i, level.net.resolution, slot);
      for (int run = 0; run < kRuns; ++run) level.ms.push_back(timed_run(runner, i));
      for (int run = 0; run < kRuns; ++run) level.batch_ms.push_back(timed_run(runner, i, kBatch));
    }
    for (std::uint32_t from = 0; from < levels.size(); ++from) {
      for (std::uint32_t to = 0; to < levels.size(); ++to) {
        if (from == to) continue;
        for (int run = 0; run < 2; ++run) (void)timed_run(runner, from);
        levels[to].first_ms.push_back(timed_run(runner, to));
      }
    }
  }
}

void measure_libtorch(const engine::OfaModel& model, std::vector<Level>& levels, int rounds) {
  const c10::InferenceMode no_gradients;
  const at::TensorOptions options = at::TensorOptions(at::Device(kProcessor)).dtype(at::kHalf);
  for (std::uint32_t i = 0; i < levels.size(); ++i) {
    const EagerNet net(model.supernet, model.levels[i].subnet, options);
    const std::int64_t side = levels[i].net.resolution;
    const at::Tensor image =
        at::randn({1, 3, side, side}, options).contiguous(at::MemoryFormat::ChannelsLast);
    for (int run = 0; run < 5 + 10 * rounds; ++run) {
      const auto start = std::chrono::steady_clock::now();
      (void)net.forward(image).cpu();
      if (run >= 5) levels[i].eager_ms.push_back(milliseconds_since(start));
    }
    levels[i].graphed_ms = time_graphed(net, image, 10 * rounds);
  }
}

/// What a runner for these nets takes from the GPU.
double device_bytes(const std::vector<NamedNet>& nets) {
  const auto model = random_model(nets, false);
  const auto before = engine::free_gpu_memory(kProcessor);
  const auto runner = make_runner(model);
  const auto after = engine::free_gpu_memory(kProcessor);
  if (!before || !after) throw std::runtime_error("the GPU does not tell its free memory");
  return static_cast<double>(*before) - static_cast<double>(*after);
}

void report(const std::vector<Level>& levels, double bytes, double largest, bool as_json) {
  const engine::Gpu gpu = engine::find_gpus().front();
  json::Writer json;
  begin_report(json, "cuda", 1);
  json.member("gpu", gpu.model)
      .member("gpu_driver", gpu.driver)
      .member("precision", "fp16")
      .key("nets")
      .begin_array();
  std::vector<double> switches, first_ratios;
  double speedup = 0;
  for (const Level& level : levels) {
    const double p50 = quantile(level.ms, 0.5), p99 = quantile(level.ms, 0.99),
                 eager = quantile(level.eager_ms, 0.5);
    const double batched = p50 * kBatch / quantile(level.batch_ms, 0.5);
    speedup += std::log(batched) / static_cast<double>(levels.size());
    for (const double ms : level.first_ms) {
      switches.push_back(std::max(0.0, 1e3 * (ms - p50)));
      first_ratios.push_back(ms / p50);
    }
    json.begin_object().member("name", level.net.name).member("ms_p50", p50).member("ms_p99", p99);
    json.member("eager_ms_p50", eager).member("eager_ratio", p50 / eager);
    const double graphed = level.graphed_ms.empty() ? 0 : quantile(level.graphed_ms, 0.5);
    if (graphed > 0)
      json.member("graphed_eager_ms_p50", graphed).member("graphed_eager_ratio", p50 / graphed);
    json.member("batch_speedup", batched).member("max_rel_diff", level.max_rel_diff);
    json.member("top1_agreement", static_cast<double>(level.same_top1) / kImages).end_object();
    if (!as_json)
      std::printf(
          "%-12s p50 %.3f ms  p99 %.3f ms  eager %.3f ms  its graph %.3f ms  batch of %u: %.2f x  differs by "
          "%.1e\n",
          level.net.name.c_str(), p50, p99, eager, graphed, kBatch, batched, level.max_rel_diff);
  }
  json.end_array()
      .member("switch_us_p99", quantile(switches, 0.99))
      .member("first_frame_ratio_p99", quantile(first_ratios, 0.99));
  json.member("batch_speedup", std::exp(speedup))
      .member("device_bytes", bytes)
      .member("device_memory_ratio", bytes / largest);
  json.end_object();
  if (as_json)
    std::puts(json.text().c_str());
  else
    std::printf(
        "%s: switch p99 %.1f us, batch speed-up %.2f, %.1f MB on the GPU, %.2f x the largest level alone\n",
        gpu.model.c_str(), quantile(switches, 0.99), std::exp(speedup), bytes / 1e6, bytes / largest);
}

void run(const EngineOptions& options) {
  std::vector<NamedNet> nets = named_nets();
  std::erase_if(nets, [](const NamedNet& net) { return !net.name.starts_with("paper") || net.width != 1.2; });
  std::vector<Level> levels;
  for (const NamedNet& net : nets) levels.push_back({net, {}, {}, {}, {}, {}, 0, 0});
  const auto model = random_model(nets, true);
  {
    const auto runner = make_runner(model);
    compare(*runner, model, levels);
    measure(*runner, levels, options.rounds);
  }
  // By now the context and the libraries are there and stay: what a family adds is its own.
  const double bytes = device_bytes(nets);
  double largest = 0;
  for (const NamedNet& net : nets) largest = std::max(largest, device_bytes({net}));
  measure_libtorch(*model, levels, options.rounds);
  report(levels, bytes, largest, options.json);
}

}  // namespace

int run_cuda(const Arguments& arguments) {
  const auto options = parse_engine_options(arguments);
  if (!options) {
    std::fprintf(stderr, "dofa-bench cuda: %s\n", options.error().message.c_str());
    return 2;
  }
  if (engine::find_gpus().empty()) {
    std::fprintf(
        stderr,
        "dofa-bench cuda: this build has no CUDA, or this machine no NVIDIA GPU; nothing was measured\n");
    return 1;
  }
  try {
    run(*options);
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "dofa-bench cuda: %s\n", fault.what());
    return 1;
  }
  return 0;
}

}  // namespace dofa::bench
