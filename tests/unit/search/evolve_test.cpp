// SPDX-License-Identifier: Apache-2.0
// NSGA-II against the definitions, and the whole search against every sub-network of a small space.
#include "models/search/evolve.hpp"

#include <algorithm>
#include <set>

#include "models/search/lookup.hpp"
#include "tests/support/catch.hpp"

using namespace dofa::search;

namespace {

Individual individual(double cost, double accuracy, const Limits& limits = {}) {
  return {{}, {cost, accuracy}, violation({cost, accuracy}, limits)};
}

/// Deb's constraint domination, word by word.
bool constraint_dominates(const Individual& a, const Individual& b) {
  if (a.violation == 0 && b.violation == 0) return dominates(a.point, b.point);
  return a.violation < b.violation;
}

/// Fronts peeled off one by one.
std::vector<std::uint32_t> naive_ranks(const std::vector<Individual>& population) {
  std::vector<std::uint32_t> ranks(population.size(), UINT32_MAX);
  for (std::uint32_t rank = 0; std::ranges::count(ranks, UINT32_MAX) > 0; ++rank) {
    std::vector<std::size_t> front;
    for (std::size_t i = 0; i < population.size(); ++i) {
      if (ranks[i] != UINT32_MAX) continue;
      bool dominated = false;
      for (std::size_t j = 0; j < population.size(); ++j)
        dominated =
            dominated || (ranks[j] == UINT32_MAX && constraint_dominates(population[j], population[i]));
      if (!dominated) front.push_back(i);
    }
    for (const std::size_t i : front) ranks[i] = rank;
  }
  return ranks;
}

/// Small enough to list: two ratios and depths 1 and 2 give 2 + 4 ways a stage, so 6^5 x 2 in all.
const Space kSmall{{3}, {3, 6}, {1, 2}, {160, 224}};

/// Something a search can be misled by: accuracy is no sum, blocks depend on each other.
double rugged_accuracy(const Space& space, const Genome& genome) {
  double total = 0;
  for (std::size_t stage = 0; stage < 5; ++stage) {
    const std::size_t depth = space.depth(genome, stage);
    double product = 1;
    for (std::size_t i = 0; i < depth; ++i) {
      const std::size_t block = stage * 4 + i;
      const int mixed =
          static_cast<int>(genome[block] * 7 + genome[kFirstRatio + block] * 5 + block * 3 +
                           genome[kResolution] * 2 + (stage > 0 ? genome[kFirstDepth + stage - 1] : 0));
      product *= 1.0 + (mixed % 11) / 10.0;
    }
    total += product;
  }
  return total + 0.5 * genome[kResolution];
}

Score score_of(const Space& space, const Lookup& lookup) {
  return [&](std::span<const Genome> genomes, std::span<Point> points) {
    for (std::size_t i = 0; i < genomes.size(); ++i)
      points[i] = {lookup.cost(genomes[i]), rugged_accuracy(space, genomes[i])};
  };
}

/// Every genome of a space.
std::vector<Genome> all_genomes(const Space& space) {
  std::set<Genome> all;
  Genome genome{};
  for (;;) {
    all.insert(canonical(space, genome));
    std::size_t gene = 0;
    for (; gene < kGenes; ++gene) {
      const bool unused = gene < kFirstDepth && gene % 4 >= space.depths.back();
      if (!unused && ++genome[gene] < space.choices(gene)) break;
      genome[gene] = 0;
    }
    if (gene == kGenes) return {all.begin(), all.end()};
  }
}

}  // namespace

TEST_CASE("violations add up, and keeping the limits is none") {
  const Limits limits{10, 0.5};
  CHECK(violation({10, 0.5}, limits) == 0);
  CHECK(violation({15, 0.5}, limits) == Approx(0.5));
  CHECK(violation({15, 0.25}, limits) == Approx(0.75));
  CHECK(violation({1e9, -5}, {}) == 0);
}

TEST_CASE("ranks are those of constraint domination") {
  Dice dice(5);
  for (int round = 0; round < 60; ++round) {
    const Limits limits = round % 2 == 0 ? Limits{} : Limits{7, 0.3};
    std::vector<Individual> population;
    for (int i = 0; i < 60; ++i)
      population.push_back(individual(1 + static_cast<double>(dice.roll(12)),
                                      static_cast<double>(dice.roll(12)) / 12, limits));
    const std::vector<std::uint32_t> expected = naive_ranks(population);
    rank(population);
    for (std::size_t i = 0; i < population.size(); ++i) CHECK(population[i].rank == expected[i]);
  }
}

TEST_CASE("the lonelier survive, and the ends always") {
  std::vector<Individual> front{individual(1, 0.1), individual(2, 0.2), individual(2.1, 0.21),
                                individual(2.2, 0.22), individual(5, 0.5)};
  survive(front, 3);
  std::set<double> costs;
  for (const Individual& member : front) costs.insert(member.point.cost);
  CHECK(costs == std::set<double>{1, 2.2, 5});
}

TEST_CASE("an archive keeps the front and nothing else") {
  Dice dice(9);
  Archive archive;
  std::vector<Point> points;
  for (int i = 0; i < 400; ++i) {
    const Point point{static_cast<double>(dice.roll(40)), static_cast<double>(dice.roll(40))};
    Genome genome{};
    genome[0] = static_cast<std::uint8_t>(i % 256);
    bool dominated_or_equal = false;
    for (const Point& other : points)
      dominated_or_equal = dominated_or_equal || dominates(other, point) || other == point;
    CHECK(archive.add(genome, point) == !dominated_or_equal);
    points.push_back(point);
  }
  std::vector<Point> kept;
  for (const FrontMember& member : archive.members()) kept.push_back(member.point);
  std::vector<Point> expected;
  for (const std::size_t i : pareto(points)) expected.push_back(points[i]);
  CHECK(kept == expected);
}

TEST_CASE("neighbours differ in one choice or one block") {
  const Space space = published_space({160, 192, 224});
  Dice dice(4);
  const Genome genome = canonical(space, random_genome(space, dice));
  std::size_t blocks = 0;
  for (std::size_t stage = 0; stage < 5; ++stage) blocks += space.depth(genome, stage);
  const std::vector<Genome> all = neighbours(space, genome);
  CHECK(all.size() == 8 * blocks + 5 * 2 + 2);
  CHECK(std::set<Genome>(all.begin(), all.end()).size() == all.size());
  for (const Genome& other : all) CHECK(other != genome);
}

TEST_CASE("the search finds the front of a space that can be listed") {
  const Lookup lookup = Lookup::macs(published_outline(1.0), kSmall);
  const Score score = score_of(kSmall, lookup);
  const std::vector<Genome> everything = all_genomes(kSmall);
  REQUIRE(static_cast<double>(everything.size()) == kSmall.size());  // 15,552
  std::vector<Point> points(everything.size());
  score(everything, points);
  std::vector<Point> truth;
  for (const std::size_t i : pareto(points)) truth.push_back(points[i]);
  const Point reference{lookup.cost(Genome{}) * 20, 0};

  Settings settings;
  settings.population = 60;
  settings.generations = 40;  // 2,460 of 15,552 evaluations
  const auto area = [&](const Found& found) {
    std::vector<Point> front;
    for (const FrontMember& member : found.front) front.push_back(member.point);
    return hypervolume(front, reference) / hypervolume(truth, reference);
  };
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    settings.seed = seed;
    settings.walk = settings.polish = 0;
    const Found evolved = evolve(kSmall, score, settings);
    CHECK(evolved.evaluations <= 2460);
    CHECK(area(evolved) > 0.99);
    settings.walk = 4000;
    const Found walked = evolve(kSmall, score, settings);
    CHECK(area(walked) > 0.99);
    settings.polish = 4000;
    const Found polished = evolve(kSmall, score, settings);
    CHECK(area(polished) >= area(evolved));
    CHECK(area(polished) > 0.999);
    CHECK(area(polished) <= 1.0 + 1e-12);
  }
}

TEST_CASE("the same seed finds the same front, another one its own") {
  const Space space = published_space({160, 224});
  const Lookup lookup = Lookup::macs(published_outline(1.0), space);
  Settings settings;
  settings.population = 40;
  settings.generations = 10;
  settings.walk = 5000;
  settings.polish = 2000;
  const auto front = [&] {
    std::vector<Genome> genomes;
    for (const FrontMember& member : evolve(space, score_of(space, lookup), settings).front)
      genomes.push_back(member.genome);
    return genomes;
  };
  const std::vector<Genome> first = front();
  CHECK(front() == first);
  settings.seed = 2;
  CHECK(front() != first);
}

TEST_CASE("limits come before both objectives") {
  const Space space = published_space({160, 224});
  const Lookup lookup = Lookup::macs(published_outline(1.0), space);
  Settings settings;
  settings.population = 60;
  settings.generations = 20;
  settings.walk = 5000;
  settings.polish = 3000;
  settings.limits = {300e6, 12};
  const Found found = evolve(space, score_of(space, lookup), settings);
  REQUIRE(!found.front.empty());
  for (const FrontMember& member : found.front) {
    CHECK(member.point.cost <= 300e6);
    CHECK(member.point.accuracy >= 12);
  }
  settings.limits = {1e6, 0};
  const Found hopeless = evolve(space, score_of(space, lookup), settings);
  CHECK(hopeless.front.empty());
  CHECK(hopeless.nearest.cost == lookup.cost(Genome{}));  // nothing is cheaper than the smallest
}

TEST_CASE("who watches can end the search and keeps what there is") {
  const Space space = published_space({224});
  const Lookup lookup = Lookup::macs(published_outline(1.0), space);
  Settings settings;
  settings.population = 50;
  std::size_t calls = 0;
  const Found found = evolve(space, score_of(space, lookup), settings, [&](const Stage& stage) {
    ++calls;
    CHECK(stage.archive.size() > 0);
    return stage.generation < 3;
  });
  CHECK(calls == 4);
  CHECK(found.evaluations <= 4 * 50);
  CHECK(!found.front.empty());
}
