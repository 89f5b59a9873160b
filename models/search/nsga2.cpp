// SPDX-License-Identifier: Apache-2.0
#include "models/search/nsga2.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace dofa::search {
namespace {

constexpr double kStageCrossover = 0.5;
constexpr double kMutations = 1.5;  // genes changed per child, on average

/// Fronts of those that keep the limits, `order` sorted by cost and falling accuracy: a point belongs to the
/// first front whose last member does not dominate it, for that member is the front's most accurate so far.
std::uint32_t rank_feasible(std::span<Individual> population, std::span<const std::size_t> order) {
  std::vector<const Individual*> last;
  for (const std::size_t i : order) {
    Individual& individual = population[i];
    const auto front = std::ranges::partition_point(last, [&](const Individual* member) {
      return member->point.accuracy >= individual.point.accuracy && !(member->point == individual.point);
    });
    individual.rank = static_cast<std::uint32_t>(front - last.begin());
    if (front == last.end())
      last.push_back(&individual);
    else
      *front = &individual;
  }
  return static_cast<std::uint32_t>(last.size());
}

double span_of(double low, double high) {
  return high > low ? high - low : 1;
}

}  // namespace

double violation(const Point& point, const Limits& limits) {
  double beyond = 0;
  if (point.cost > limits.cost_max) beyond += point.cost / limits.cost_max - 1;
  if (point.accuracy < limits.accuracy_min) beyond += limits.accuracy_min - point.accuracy;
  return beyond;
}

void rank(std::span<Individual> population) {
  std::vector<std::size_t> order(population.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    const Individual& left = population[a];
    const Individual& right = population[b];
    if (left.violation != right.violation) return left.violation < right.violation;
    if (left.point.cost != right.point.cost) return left.point.cost < right.point.cost;
    if (left.point.accuracy != right.point.accuracy) return left.point.accuracy > right.point.accuracy;
    return a < b;
  });
  const auto feasible =
      std::ranges::partition_point(order, [&](std::size_t i) { return population[i].violation == 0; });
  std::uint32_t next = rank_feasible(population, {order.begin(), feasible});
  for (auto i = feasible; i != order.end(); ++i) {
    if (i != feasible && population[*i].violation > population[*(i - 1)].violation) ++next;
    population[*i].rank = next;
  }
}

void crowd(std::span<Individual> population) {
  std::vector<std::size_t> order(population.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    const Individual& left = population[a];
    const Individual& right = population[b];
    if (left.rank != right.rank) return left.rank < right.rank;
    return left.point.cost != right.point.cost ? left.point.cost < right.point.cost : a < b;
  });
  for (std::size_t first = 0; first < order.size();) {
    std::size_t end = first;
    while (end < order.size() && population[order[end]].rank == population[order[first]].rank) ++end;
    const auto at = [&](std::size_t i) -> Individual& { return population[order[i]]; };
    const double costs = span_of(at(first).point.cost, at(end - 1).point.cost);
    const double accuracies = span_of(at(first).point.accuracy, at(end - 1).point.accuracy);
    for (std::size_t i = first; i < end; ++i) {
      if (i == first || i + 1 == end) {
        at(i).crowding = std::numeric_limits<double>::infinity();
        continue;
      }
      at(i).crowding = (at(i + 1).point.cost - at(i - 1).point.cost) / costs +
                       std::abs(at(i + 1).point.accuracy - at(i - 1).point.accuracy) / accuracies;
    }
    first = end;
  }
}

void survive(std::vector<Individual>& population, std::size_t count) {
  rank(population);
  crowd(population);
  std::ranges::stable_sort(population, [](const Individual& a, const Individual& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.crowding > b.crowding;
  });
  if (population.size() > count) population.resize(count);
}

Genome random_genome(const Space& space, Dice& dice) {
  Genome genome{};
  for (std::size_t i = 0; i < kGenes; ++i) genome[i] = static_cast<std::uint8_t>(dice.roll(space.choices(i)));
  return genome;
}

const Individual& tournament(std::span<const Individual> population, Dice& dice) {
  const Individual& a = population[dice.roll(population.size())];
  const Individual& b = population[dice.roll(population.size())];
  if (a.rank != b.rank) return a.rank < b.rank ? a : b;
  return a.crowding >= b.crowding ? a : b;
}

Genome offspring(const Space& space, const Genome& mother, const Genome& father, Dice& dice) {
  Genome child = mother;
  if (dice.chance(kStageCrossover)) {
    for (std::size_t stage = 0; stage < engine::kStages; ++stage) {
      if (dice.chance(0.5)) continue;
      for (std::size_t i = 0; i < engine::kBlocksPerStage; ++i) {
        const std::size_t block = stage * engine::kBlocksPerStage + i;
        child[block] = father[block];
        child[kFirstRatio + block] = father[kFirstRatio + block];
      }
      child[kFirstDepth + stage] = father[kFirstDepth + stage];
    }
    if (dice.chance(0.5)) child[kResolution] = father[kResolution];
  } else {
    for (std::size_t i = 0; i < kGenes; ++i)
      if (dice.chance(0.5)) child[i] = father[i];
  }
  for (std::size_t i = 0; i < kGenes; ++i)
    if (dice.chance(kMutations / kGenes)) child[i] = static_cast<std::uint8_t>(dice.roll(space.choices(i)));
  return child;
}

}  // namespace dofa::search
