// SPDX-License-Identifier: Apache-2.0
#include "models/search/evolve.hpp"

#include <algorithm>
#include <unordered_set>

#include "models/search/walkers.hpp"

namespace dofa::search {
namespace {

constexpr std::size_t kPolishMembers = 16;  // whose neighbours are tried together
constexpr int kTriesForNew = 20;
constexpr std::size_t kWalkers = 96;

/// Scores new genomes and keeps what is worth keeping.
class Evolution {
 public:
  Evolution(const Space& space, const Score& score, const Settings& settings, const Watch& watch)
      : space_(space), score_(score), settings_(settings), watch_(watch), dice_(settings.seed) {}

  Found run();

 private:
  /// A genome nobody has met, if the maker finds one.
  template <class Maker>
  void add_new(std::vector<Genome>& genomes, const Maker& make) {
    for (int i = 0; i < kTriesForNew; ++i) {
      const Genome genome = canonical(space_, make());
      if (!met_.insert(genome).second) continue;
      genomes.push_back(genome);
      return;
    }
  }
  std::vector<Individual> evaluate(const std::vector<Genome>& genomes);
  std::vector<Genome> first_generation();
  void breed();
  void walk();
  void polish();
  void look() { wanted_ = !watch_ || watch_({generation_, evaluations_, archive_}); }

  const Space& space_;
  const Score& score_;
  const Settings& settings_;
  const Watch& watch_;
  Dice dice_;
  Archive archive_;
  std::unordered_set<Genome, GenomeHash> met_;
  std::size_t generation_ = 0;
  std::uint64_t evaluations_ = 0;
  bool wanted_ = true;
  Individual nearest_;
};

std::vector<Individual> Evolution::evaluate(const std::vector<Genome>& genomes) {
  std::vector<Point> points(genomes.size());
  score_(genomes, points);
  std::vector<Individual> individuals;
  individuals.reserve(genomes.size());
  for (std::size_t i = 0; i < genomes.size(); ++i) {
    Individual individual{canonical(space_, genomes[i]), points[i], violation(points[i], settings_.limits)};
    if ((evaluations_ == 0 && i == 0) || individual.violation < nearest_.violation) nearest_ = individual;
    if (individual.violation == 0) archive_.add(individual.genome, individual.point);
    individuals.push_back(individual);
  }
  evaluations_ += genomes.size();
  return individuals;
}

/// The smallest and largest choices at every resolution, so that the front's ends are there from the start,
/// and random ones.
std::vector<Genome> Evolution::first_generation() {
  std::vector<Genome> genomes;
  for (std::size_t resolution = 0; resolution < space_.resolutions.size(); ++resolution) {
    for (const bool largest : {false, true}) {
      add_new(genomes, [&] {
        Genome genome{};
        for (std::size_t i = 0; largest && i < kGenes; ++i)
          genome[i] = static_cast<std::uint8_t>(space_.choices(i) - 1);
        genome[kResolution] = static_cast<std::uint8_t>(resolution);
        return genome;
      });
    }
  }
  for (std::size_t i = genomes.size(); i < settings_.population; ++i)
    add_new(genomes, [&] { return random_genome(space_, dice_); });
  return genomes;
}

void Evolution::breed() {
  std::vector<Individual> population = evaluate(first_generation());
  survive(population, settings_.population);
  look();
  while (wanted_ && generation_ < settings_.generations) {
    std::vector<Genome> children;
    for (std::size_t i = 0; i < settings_.population; ++i)
      add_new(children, [&] {
        const Genome& mother = tournament(population, dice_).genome;
        return offspring(space_, mother, tournament(population, dice_).genome, dice_);
      });
    if (children.empty()) return;  // a small space, all of it met
    const std::vector<Individual> born = evaluate(children);
    population.insert(population.end(), born.begin(), born.end());
    survive(population, settings_.population);
    ++generation_;
    look();
  }
}

/// Iterated local search from the front as it is.
void Evolution::walk() {
  const std::vector<FrontMember> front = archive_.members();
  if (front.empty()) return;
  std::uint64_t left = settings_.walk;
  Walkers walkers(space_, settings_.limits, front, kWalkers);
  const auto evaluate_some = [&](const std::vector<Genome>& genomes) {
    std::vector<Point> points;
    if (genomes.size() > left || !wanted_) return points;
    left -= genomes.size();
    for (const Individual& individual : evaluate(genomes)) points.push_back(individual.point);
    return points;
  };
  while (walkers.round(evaluate_some, dice_)) look();
}

/// Tries every neighbour of every member that nobody has met.
void Evolution::polish() {
  std::uint64_t left = settings_.polish;
  for (; left > 0 && wanted_; look()) {
    std::vector<Genome> genomes;
    const std::vector<Genome> members = archive_.untried(kPolishMembers);
    if (members.empty()) return;
    for (const Genome& member : members) {
      for (const Genome& neighbour : neighbours(space_, member)) {
        const Genome genome = canonical(space_, neighbour);
        if (genomes.size() < left && met_.insert(genome).second) genomes.push_back(genome);
      }
    }
    if (!genomes.empty()) evaluate(genomes);
    left -= genomes.size();
  }
}

Found Evolution::run() {
  breed();
  if (wanted_) walk();
  if (wanted_) polish();
  return {archive_.members(), nearest_.point, evaluations_};
}

}  // namespace

bool Archive::add(const Genome& genome, const Point& point) {
  auto next = members_.upper_bound(point.cost);  // the first that costs more
  if (next != members_.begin() && std::prev(next)->second.accuracy >= point.accuracy) return false;
  if (next != members_.begin() && std::prev(next)->first == point.cost) --next;
  while (next != members_.end() && next->second.accuracy <= point.accuracy) next = members_.erase(next);
  members_.emplace_hint(next, point.cost, Entry{genome, point.accuracy, false});
  return true;
}

std::vector<FrontMember> Archive::members() const {
  std::vector<FrontMember> members;
  members.reserve(members_.size());
  for (const auto& [cost, entry] : members_) members.push_back({entry.genome, {cost, entry.accuracy}});
  return members;
}

std::vector<Genome> Archive::untried(std::size_t count) {
  std::vector<Entry*> open;
  for (auto& [cost, entry] : members_)
    if (!entry.tried) open.push_back(&entry);
  std::vector<Genome> genomes;
  const std::size_t step = std::max<std::size_t>(1, open.size() / count);
  for (std::size_t i = 0; i < open.size() && genomes.size() < count; i += step) {
    open[i]->tried = true;
    genomes.push_back(open[i]->genome);
  }
  return genomes;
}

std::vector<Genome> neighbours(const Space& space, const Genome& genome) {
  std::vector<Genome> all;
  for (std::size_t gene = kFirstDepth; gene < kGenes; ++gene) {
    for (std::size_t choice = 0; choice < space.choices(gene); ++choice) {
      if (choice == genome[gene]) continue;
      all.push_back(genome);
      all.back()[gene] = static_cast<std::uint8_t>(choice);
    }
  }
  for (std::size_t block = 0; block < kBlocks; ++block) {
    const std::size_t stage = block / engine::kBlocksPerStage;
    if (block % engine::kBlocksPerStage >= space.depth(genome, stage)) continue;
    for (std::size_t kernel = 0; kernel < space.kernels.size(); ++kernel) {
      for (std::size_t ratio = 0; ratio < space.ratios.size(); ++ratio) {
        if (kernel == genome[block] && ratio == genome[kFirstRatio + block]) continue;
        all.push_back(genome);
        all.back()[block] = static_cast<std::uint8_t>(kernel);
        all.back()[kFirstRatio + block] = static_cast<std::uint8_t>(ratio);
      }
    }
  }
  return all;
}

Found evolve(const Space& space, const Score& score, const Settings& settings, const Watch& watch) {
  return Evolution(space, score, settings, watch).run();
}

}  // namespace dofa::search
