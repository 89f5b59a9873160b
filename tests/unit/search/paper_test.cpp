// SPDX-License-Identifier: Apache-2.0
// The paper's own table and predictor: at each of the paper's six levels the search finds a sub-network that
// its table says is no slower and its predictor says is more accurate by 0.3 points.
#include <yaml-cpp/yaml.h>

#include <chrono>

#include "models/search/evolve.hpp"
#include "models/search/latency_table.hpp"
#include "models/search/predictor.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ofa/files.hpp"

using namespace dofa;
using namespace dofa::search;

namespace {

/// Levels of levels_6.json.
std::vector<Candidate> paper_levels(const std::string& path) {
  std::vector<Candidate> levels;
  for (const YAML::Node& level : YAML::LoadFile(path)["levels"]) {
    Candidate candidate;
    const auto read = [&](const char* key, auto& out) {
      const auto values = level[key].as<std::vector<int>>();
      REQUIRE(values.size() == out.size());
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(values[i]);
    };
    read("ks", candidate.architecture.kernel_sizes);
    read("e", candidate.architecture.expand_ratios);
    read("d", candidate.architecture.depths);
    candidate.resolution = level["r"].as<std::uint32_t>();
    levels.push_back(candidate);
  }
  return levels;
}

}  // namespace

TEST_CASE("the paper's levels are beaten by 0.3 points on its own table") {
  const std::string paper = engine::test::shared_path("reference/paper");
  if (paper.empty()) return;
  const auto table = read_latency_table(paper + "/latency_tables/jetson_gpu");
  if (!table) FAIL(table.error().message);
  const auto predictor = AccuracyPredictor::read(paper + "/accuracy_predictor.pt");
  if (!predictor) FAIL(predictor.error().message);
  const Space space = published_space({160, 176, 192, 208, 224});
  const auto lookup = latency_lookup(published_outline(1.2), space, *table);
  if (!lookup) FAIL(lookup.error().message);

  const Score score = [&](std::span<const Genome> genomes, std::span<Point> points) {
    std::vector<double> top1(genomes.size());
    predictor->predict(space, genomes, top1);
    for (std::size_t i = 0; i < genomes.size(); ++i) points[i] = {lookup->cost(genomes[i]), top1[i]};
  };
  const auto start = std::chrono::steady_clock::now();
  const Found found = evolve(space, score, {});
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  std::printf("%zu on the front, %llu evaluated in %.1f s, %.0f a second\n", found.front.size(),
              static_cast<unsigned long long>(found.evaluations), taken.count(),
              static_cast<double>(found.evaluations) / taken.count());
  const std::vector<Candidate> levels = paper_levels(paper + "/levels_6.json");
  REQUIRE(levels.size() == 6);
  for (const Candidate& level : levels) {
    const auto genome = genome_of(space, level);
    REQUIRE(genome);
    Point theirs;
    score({&*genome, 1}, {&theirs, 1});
    double best = 0;
    for (const FrontMember& member : found.front)
      if (member.point.cost <= theirs.cost) best = std::max(best, member.point.accuracy);
    std::printf("%.2f ms: %.4f, ours %.4f\n", theirs.cost / 1000, theirs.accuracy, best);
    CHECK(best >= theirs.accuracy + 0.003);
  }
}
