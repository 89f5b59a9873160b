// SPDX-License-Identifier: Apache-2.0
// dofa-bench engine: time of one frame on each of the standard Once-for-all nets through the CPU kernels,
// from a float tensor to logits, how much of the machine's multiply-add peak that is, and how far the logits
// are from the reference executor's.
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <random>
#include <sstream>

#include "daemon/engine/elastic.hpp"
#include "daemon/engine/kernels/run.hpp"
#include "daemon/engine/kernels/simd.hpp"
#include "daemon/engine/thread.hpp"
#include "tests/bench/engine/fma_peak.hpp"
#include "tests/bench/engine/options.hpp"
#include "tests/bench/engine/random_ofa.hpp"

namespace dofa::bench {
namespace {
namespace kernels = engine::kernels;

/// A net ready to run. Models of one width are shared by its nets.
struct Item {
  NamedNet net;
  std::shared_ptr<const engine::ElasticModel> model;
  std::shared_ptr<const engine::OfaModel> source;
  std::uint32_t level = 0;
  std::vector<double> ms;
  kernels::Timing layers;
  double max_rel_diff = 0;
  [[nodiscard]] const kernels::Plan& plan() const { return model->plans()[level]; }
};

std::vector<NamedNet> chosen_nets(const std::string& part) {
  std::vector<NamedNet> nets = named_nets();
  std::erase_if(nets, [&](const NamedNet& net) { return net.name.find(part) == std::string::npos; });
  return nets;
}

Result<std::vector<Item>> make_items(const EngineOptions& options) {
  std::map<double, std::vector<NamedNet>> by_width;
  for (NamedNet& net : chosen_nets(options.nets)) by_width[net.width].push_back(std::move(net));
  std::vector<Item> items;
  for (const auto& [width, nets] : by_width) {
    auto source = random_model(nets, true);
    auto model = engine::ElasticModel::make(
        *source, options.half_head ? kernels::Precision::kHalf : kernels::Precision::kFloat);
    if (!model) return model.error();
    const auto shared = std::make_shared<const engine::ElasticModel>(std::move(*model));
    for (std::uint32_t i = 0; i < nets.size(); ++i) items.push_back({nets[i], shared, source, i, {}, {}, 0});
  }
  if (items.empty())
    return Error{ErrorCode::kInvalidArgument, "no net's name contains '" + options.nets + "'"};
  return items;
}

kernels::Arena make_arena(const std::vector<Item>& items, int threads) {
  kernels::ArenaSizes sizes;
  for (const Item& item : items) sizes.merge(item.model->arena());
  return kernels::Arena(sizes, threads);
}

std::vector<float> make_image(const kernels::Plan& plan) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> image(plan.input().pixels() * static_cast<std::size_t>(plan.input().channels));
  std::generate(image.begin(), image.end(), [&] { return normal(random); });
  return image;
}

/// Milliseconds of one run; negative where it failed.
double run_once(const kernels::Plan& plan, kernels::Arena& arena, kernels::Team& team,
                const std::vector<float>& image) {
  const auto start = std::chrono::steady_clock::now();
  return kernels::run(plan, arena, team, image) ? milliseconds_since(start) : -1;
}

/// Largest difference of the logits from the reference executor's, over their range.
Result<double> difference(const Item& item, kernels::Arena& arena, kernels::Team& team) {
  const std::vector<float> image = make_image(item.plan());
  const auto logits = kernels::run(item.plan(), arena, team, image);
  if (!logits) return logits.error();
  const auto reference = engine::make_reference_backend(item.source);
  if (!reference) return reference.error();
  const auto executor = (*reference)->make_executor();
  if (!executor) return executor.error();
  std::ranges::copy(image, (*executor)->input(item.level).begin());
  const auto expected = (*executor)->run(item.level);
  if (!expected) return expected.error();
  double largest = 0;
  for (std::size_t i = 0; i < logits->size(); ++i)
    largest = std::max(largest, std::abs(double{(*logits)[i]} - (*expected)[i]));
  const auto [low, high] = std::ranges::minmax(*expected);
  return largest / (double{high} - low);
}

/// The smallest time of each kind of layer over the rounds.
void add_layers(Item& item, kernels::Arena& arena, const std::vector<float>& image, bool first) {
  kernels::Timing timing;
  if (!kernels::run(item.plan(), arena, image, &timing)) return;
  for (std::size_t i = 0; i < timing.kinds.size(); ++i) {
    auto& best = item.layers.kinds[i];
    best.ns = first ? timing.kinds[i].ns : std::min(best.ns, timing.kinds[i].ns);
    best.macs = timing.kinds[i].macs;
  }
}

void report(const std::vector<Item>& items, const EngineOptions& options, double peak) {
  json::Writer json;
  begin_report(json, "engine", static_cast<unsigned>(options.threads));
  json.member("simd", kernels::simd_target()).member("peak_gmacs", peak / 1e9).key("nets").begin_array();
  if (!options.json)
    std::printf("%s, %d thread(s), multiply-add peak %.1f GMAC/s\n", kernels::simd_target().c_str(),
                options.threads, peak / 1e9);
  for (const Item& item : items) {
    const double best = quantile(item.ms, 0), median = quantile(item.ms, 0.5);
    const auto macs = static_cast<double>(item.plan().macs());
    const double fraction = macs / (best * 1e-3) / peak;
    json.begin_object().member("name", item.net.name).member("macs", item.plan().macs());
    json.member("ms_min", best).member("ms_median", median).member("peak_fraction", fraction);
    json.member("max_rel_diff", item.max_rel_diff);
    if (!options.json)
      std::printf("%-14s %5.0f MMAC  min %7.3f ms  median %7.3f ms  %3.0f %% of peak  differs by %.1e\n",
                  item.net.name.c_str(), macs / 1e6, best, median, 100 * fraction, item.max_rel_diff);
    if (options.layers) {
      json.key("layers").begin_array();
      for (int kind = 0; kind < kernels::Timing::kKinds; ++kind) {
        const auto& sum = item.layers.kinds[static_cast<std::size_t>(kind)];
        const char* name = kernels::Timing::name(static_cast<kernels::Timing::Kind>(kind));
        const double part =
            sum.ns > 0 ? static_cast<double>(sum.macs) / (static_cast<double>(sum.ns) * 1e-9) / peak : 0;
        json.begin_object().member("kind", name).member("macs", sum.macs);
        json.member("ms", static_cast<double>(sum.ns) / 1e6).member("peak_fraction", part).end_object();
        if (!options.json)
          std::printf("    %-15s %5.1f MMAC  %7.3f ms  %3.0f %% of peak\n", name,
                      static_cast<double>(sum.macs) / 1e6, static_cast<double>(sum.ns) / 1e6, 100 * part);
      }
      json.end_array();
    }
    json.end_object();
  }
  json.end_array().end_object();
  if (options.json) std::puts(json.text().c_str());
}

/// Rounds over all nets, so that a disturbance of the machine hits all of them alike.
Result<void> measure(std::vector<Item>& items, const EngineOptions& options) {
  kernels::Arena arena = make_arena(items, options.threads);
  kernels::Team team(options.threads);
  const double peak = fma_peak_per_second(team);
  for (Item& item : items) {
    const auto largest = difference(item, arena, team);
    if (!largest) return largest.error();
    item.max_rel_diff = *largest;
  }
  for (int round = 0; round < options.rounds; ++round) {
    for (Item& item : items) {
      const std::vector<float> image = make_image(item.plan());
      constexpr int kWarm = 2, kRuns = 8;
      for (int i = 0; i < kWarm + kRuns; ++i) {
        const double ms = run_once(item.plan(), arena, team, image);
        if (ms < 0) return Error{ErrorCode::kFailed, item.net.name + " does not run"};
        if (i >= kWarm) item.ms.push_back(ms);
      }
      if (options.layers) add_layers(item, arena, image, round == 0);
    }
  }
  report(items, options, peak);
  return {};
}

/// Answers lines on standard input until it ends: "time NET RUNS" with the milliseconds of each run, "logits
/// NET FILE" (raw floats) with the logits.
Result<void> serve(std::vector<Item>& items, const EngineOptions& options) {
  kernels::Arena arena = make_arena(items, options.threads);
  kernels::Team team(options.threads);
  std::map<std::string, Item*> by_name;
  for (Item& item : items) by_name[item.net.name] = &item;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb, name, last;
    words >> verb >> name >> last;
    const auto found = by_name.find(name);
    if (found == by_name.end()) return Error{ErrorCode::kInvalidArgument, "no net '" + name + "'"};
    const kernels::Plan& plan = found->second->plan();
    std::vector<float> image = make_image(plan);
    if (verb == "logits") {
      std::ifstream file(last, std::ios::binary);
      file.read(reinterpret_cast<char*>(image.data()),
                static_cast<std::streamsize>(image.size() * sizeof(float)));
      const auto logits = kernels::run(plan, arena, team, image);
      if (!file || !logits) return Error{ErrorCode::kFailed, "cannot run " + name + " on " + last};
      for (const float logit : *logits) std::printf("%.9g ", static_cast<double>(logit));
    } else {
      for (int i = std::atoi(last.c_str()); i > 0; --i)
        std::printf("%.5f ", run_once(plan, arena, team, image));
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  return {};
}

Result<void> run(const EngineOptions& options) {
  if (!options.target.empty() && !kernels::cap_simd_target(options.target))
    return Error{ErrorCode::kInvalidArgument, "this machine has no SIMD target " + options.target};
  if (!options.write_family.empty()) {
    write_random_family(chosen_nets(options.nets), options.write_family);
    return {};
  }
  auto items = make_items(options);
  if (!items) return items.error();
  engine::prepare_inference_thread(true);
  const kernels::FlushDenormals flush;
  return options.on_request ? serve(*items, options) : measure(*items, options);
}
}  // namespace

int run_engine(const Arguments& arguments) {
  const auto options = parse_engine_options(arguments);
  const auto done = options ? run(*options) : Result<void>(options.error());
  if (done) return 0;
  std::fprintf(stderr, "dofa-bench engine: %s\n", done.error().message.c_str());
  return done.error().code == ErrorCode::kInvalidArgument ? 2 : 1;
}

}  // namespace dofa::bench
