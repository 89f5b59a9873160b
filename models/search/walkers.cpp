// SPDX-License-Identifier: Apache-2.0
#include "models/search/walkers.hpp"

#include <algorithm>
#include <numeric>

namespace dofa::search {
namespace {

constexpr std::size_t kSites = kBlocks + engine::kStages + 1;
constexpr std::size_t kKickedSites = 5;  // at most; fewer fall back to where they were
constexpr double kPenalty = 100;         // for a violation, against accuracies of at most 1

/// Slopes of the upper hull of a front, falling.
std::vector<double> hull_slopes(std::span<const FrontMember> front) {
  std::vector<Point> hull;
  const auto slope = [](const Point& a, const Point& b) {
    return (b.accuracy - a.accuracy) / (b.cost - a.cost);
  };
  for (const FrontMember& member : front) {
    while (hull.size() >= 2 && slope(hull[hull.size() - 2], hull.back()) <= slope(hull.back(), member.point))
      hull.pop_back();
    hull.push_back(member.point);
  }
  std::vector<double> slopes;
  for (std::size_t i = 1; i < hull.size(); ++i) slopes.push_back(slope(hull[i - 1], hull[i]));
  return slopes;
}

}  // namespace

Walkers::Walkers(const Space& space, const Limits& limits, std::span<const FrontMember> front,
                 std::size_t count)
    : space_(space), limits_(limits), walkers_(count) {
  std::vector<double> slopes = hull_slopes(front);
  slopes.push_back(0);  // accuracy at any price, up to the limit
  for (std::size_t i = 0; i < count; ++i) {
    Walker& walker = walkers_[i];
    const double place = static_cast<double>(i) / static_cast<double>(std::max<std::size_t>(1, count - 1)) *
                         static_cast<double>(slopes.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const double part = place - static_cast<double>(below);
    walker.price = slopes[below] * (1 - part) + slopes[std::min(below + 1, slopes.size() - 1)] * part;
    const auto best = std::ranges::max_element(
        front, {}, [&](const FrontMember& member) { return value(member.point, walker.price); });
    walker.home = best->genome;
    walker.home_value = value(best->point, walker.price);
  }
}

double Walkers::value(const Point& point, double price) const {
  return point.accuracy - price * point.cost - kPenalty * violation(point, limits_);
}

void Walkers::kick(Walker& walker, Dice& dice) const {
  walker.genome = walker.home;
  for (std::size_t i = 2 + dice.roll(kKickedSites - 1); i > 0; --i) {
    std::vector<Genome> choices;
    add_choices(walker.genome, dice.roll(kSites), choices);
    if (!choices.empty()) walker.genome = choices[dice.roll(choices.size())];
  }
  walker.calm = 0;
}

void Walkers::add_choices(const Genome& genome, std::size_t site, std::vector<Genome>& out) const {
  if (site >= kBlocks) {
    const std::size_t gene = kFirstDepth + site - kBlocks;
    for (std::size_t choice = 0; choice < space_.choices(gene); ++choice) {
      if (choice == genome[gene]) continue;
      out.push_back(genome);
      out.back()[gene] = static_cast<std::uint8_t>(choice);
    }
    return;
  }
  if (site % engine::kBlocksPerStage >= space_.depth(genome, site / engine::kBlocksPerStage)) return;
  for (std::size_t kernel = 0; kernel < space_.kernels.size(); ++kernel) {
    for (std::size_t ratio = 0; ratio < space_.ratios.size(); ++ratio) {
      if (kernel == genome[site] && ratio == genome[kFirstRatio + site]) continue;
      out.push_back(genome);
      out.back()[site] = static_cast<std::uint8_t>(kernel);
      out.back()[kFirstRatio + site] = static_cast<std::uint8_t>(ratio);
    }
  }
}

bool Walkers::round(const Evaluate& evaluate, Dice& dice) {
  std::vector<Genome> genomes;
  for (Walker& walker : walkers_) {
    kick(walker, dice);
    genomes.push_back(walker.genome);
  }
  std::vector<Point> points = evaluate(genomes);
  if (points.size() < genomes.size()) return false;
  for (std::size_t i = 0; i < walkers_.size(); ++i) walkers_[i].value = value(points[i], walkers_[i].price);

  std::vector<std::size_t> sites(kSites);
  std::iota(sites.begin(), sites.end(), std::size_t{0});
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t i = sites.size(); i > 1; --i) std::swap(sites[i - 1], sites[dice.roll(i)]);
    for (const std::size_t site : sites) {
      genomes.clear();
      std::vector<std::size_t> ends;
      for (const Walker& walker : walkers_) {
        if (walker.calm < kSites) add_choices(walker.genome, site, genomes);
        ends.push_back(genomes.size());
      }
      if (genomes.empty()) continue;
      points = evaluate(genomes);
      if (points.size() < genomes.size()) return false;
      std::size_t next = 0;
      for (std::size_t i = 0; i < walkers_.size(); ++i) {
        Walker& walker = walkers_[i];
        if (walker.calm >= kSites) continue;
        ++walker.calm;
        for (; next < ends[i]; ++next) {
          const double gained = value(points[next], walker.price);
          if (gained <= walker.value) continue;
          walker.value = gained;
          walker.genome = genomes[next];
          walker.calm = 0;
        }
        moved = moved || walker.calm < kSites;
      }
    }
  }
  for (Walker& walker : walkers_) {
    if (walker.value < walker.home_value) continue;
    walker.home = walker.genome;
    walker.home_value = walker.value;
  }
  return true;
}

}  // namespace dofa::search
