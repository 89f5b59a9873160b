// SPDX-License-Identifier: Apache-2.0
// dofa-bench headline: Once-for-all sub-networks against the dynamic networks that the paper compares with,
// all through our CPU kernels on one thread, from a float tensor to logits, in one run that takes turns.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>
#include <random>

#include "daemon/engine/elastic.hpp"
#include "daemon/engine/kernels/run.hpp"
#include "daemon/engine/kernels/simd.hpp"
#include "daemon/engine/thread.hpp"
#include "tests/bench/engine/fma_peak.hpp"
#include "tests/bench/engine/options.hpp"
#include "tests/bench/headline/networks.hpp"
#include "tests/bench/headline/ours.hpp"
#include "tests/bench/headline/report.hpp"

namespace dofa::bench {
namespace {
namespace kernels = engine::kernels;

/// The networks in the order of `Comparison::nets`, ready to run.
struct Runnable {
  engine::ElasticModel ours;
  std::vector<PackedNetwork> peers;
  std::vector<const kernels::Plan*> plans;
};

MeasuredNet measured(std::string name, const kernels::Plan& plan) {
  MeasuredNet net;
  net.name = std::move(name);
  net.macs = plan.macs();
  return net;
}

/// Slimmable and universally slimmable networks of one width share a network here.
Result<void> add_peers(Comparison& comparison, Runnable& runnable) {
  std::map<std::string, std::size_t> index;
  for (const PublishedPeer& peer : published_peers()) {
    const PlainNetwork network =
        peer.family == PeerFamily::kUsV2 ? mobilenet_v2(peer.width) : mobilenet_v1(peer.width);
    const auto [known, added] = index.try_emplace(network.name, comparison.nets.size());
    comparison.peers.push_back({peer, known->second});
    if (!added) continue;
    auto packed = pack(network, random_weights(network));
    if (!packed) return packed.error();
    comparison.nets.push_back(measured(network.name, packed->plan));
    runnable.peers.push_back(std::move(*packed));
  }
  for (const PackedNetwork& peer : runnable.peers) runnable.plans.push_back(&peer.plan);
  return {};
}

Result<Runnable> prepare(Comparison& comparison) {
  const std::vector<OurNet> ours = our_nets();
  std::vector<NamedNet> names;
  for (const OurNet& net : ours) names.push_back(net.net);
  auto model = engine::ElasticModel::make(*random_model(names, false));
  if (!model) return model.error();
  Runnable runnable{std::move(*model), {}, {}};
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const kernels::Plan& plan = runnable.ours.plans()[i];
    comparison.nets.push_back(measured(ours[i].net.name, plan));
    const double mmacs = static_cast<double>(plan.macs()) / 1e6;
    const double top1 =
        ours[i].basis == Basis::kPublished ? ours[i].top1 : estimated_top1(ours[i].predictor, mmacs);
    comparison.ours.push_back({i, ours[i].basis, top1, ours[i].predictor});
    runnable.plans.push_back(&plan);
  }
  const Result<void> added = add_peers(comparison, runnable);
  if (!added) return added.error();
  return runnable;
}

std::vector<float> make_image(const kernels::Plan& plan) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> image(plan.input().pixels() * static_cast<std::size_t>(plan.input().channels));
  std::generate(image.begin(), image.end(), [&] { return normal(random); });
  return image;
}

/// Each round runs every network in turn, in an order of its own.
Result<void> measure(Comparison& comparison, const Runnable& runnable, int rounds) {
  constexpr int kWarm = 2, kRuns = 8;
  kernels::ArenaSizes sizes;
  std::vector<std::vector<float>> images;
  for (const kernels::Plan* plan : runnable.plans) {
    sizes.merge(plan->arena());
    images.push_back(make_image(*plan));
  }
  kernels::Arena arena(sizes);
  kernels::Team alone(1);
  comparison.peak_macs = fma_peak_per_second(alone);
  std::vector<std::size_t> order(runnable.plans.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937 random(1);
  for (int round = 0; round < rounds; ++round) {
    if (isatty(STDERR_FILENO) == 1) std::fprintf(stderr, "\r\033[Kround %d of %d", round + 1, rounds);
    std::shuffle(order.begin(), order.end(), random);
    for (const std::size_t i : order) {
      std::vector<double> times;
      for (int run = 0; run < kWarm + kRuns; ++run) {
        const auto start = std::chrono::steady_clock::now();
        if (!kernels::run(*runnable.plans[i], arena, alone, images[i]))
          return Error{ErrorCode::kFailed, comparison.nets[i].name + " does not run"};
        if (run >= kWarm) times.push_back(milliseconds_since(start));
      }
      comparison.nets[i].round_ms.push_back(*std::ranges::min_element(times));
      std::ranges::copy(times, std::back_inserter(comparison.nets[i].ms));
    }
  }
  if (isatty(STDERR_FILENO) == 1) std::fputs("\r\033[K", stderr);
  return {};
}

Result<void> run(const EngineOptions& options) {
  if (!options.target.empty() && !kernels::cap_simd_target(options.target))
    return Error{ErrorCode::kInvalidArgument, "this machine has no SIMD target " + options.target};
  Comparison comparison;
  const auto runnable = prepare(comparison);
  if (!runnable) return runnable.error();
  engine::prepare_inference_thread(true);
  const kernels::FlushDenormals flush;
  const Result<void> done = measure(comparison, *runnable, options.rounds);
  if (!done) return done.error();
  comparison.compare();
  if (options.json)
    std::puts(headline_json(comparison).c_str());
  else
    std::fputs(headline_text(comparison).c_str(), stdout);
  if (options.plot.empty()) return {};
  std::ofstream file(options.plot);
  file << headline_svg(comparison);
  if (!file.flush()) return Error{ErrorCode::kFailed, "cannot write " + options.plot};
  return {};
}
}  // namespace

int run_headline(const Arguments& arguments) {
  const auto options = parse_engine_options(arguments);
  const auto done = options ? run(*options) : Result<void>(options.error());
  if (done) return 0;
  std::fprintf(stderr, "dofa-bench headline: %s\n", done.error().message.c_str());
  return done.error().code == ErrorCode::kInvalidArgument ? 2 : 1;
}

}  // namespace dofa::bench
