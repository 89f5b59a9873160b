// SPDX-License-Identifier: Apache-2.0
// Parts of NSGA-II (Deb et al., IEEE Trans. Evolutionary Computation 6(2), 2002) for one cost and one
// accuracy: constraint-dominated ranking, crowding distance, survival, and variation of genomes. Pure
// functions but for the dice, which roll the same on every machine.
#pragma once

#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <vector>

#include "models/search/front.hpp"
#include "models/search/space.hpp"

namespace dofa::search {

/// Bounds that come before both objectives.
struct Limits {
  double cost_max = std::numeric_limits<double>::infinity();
  double accuracy_min = -std::numeric_limits<double>::infinity();
};

/// 0 where the point keeps the limits, else how far it is beyond them: the excess of cost relative to the
/// limit plus the missing accuracy.
double violation(const Point& point, const Limits& limits);

struct Individual {
  Genome genome{};
  Point point;
  double violation = 0;
  std::uint32_t rank = 0;  ///< 0 = dominated by nobody
  double crowding = 0;     ///< larger = lonelier
};

/// Sets everybody's rank: those that keep the limits by domination, behind them the others by violation.
/// O(n log n).
void rank(std::span<Individual> population);
/// Sets everybody's crowding distance within their rank.
void crowd(std::span<Individual> population);
/// Ranks, crowds, and leaves the `count` best, in order of rank and falling crowding distance.
void survive(std::vector<Individual>& population, std::size_t count);

/// The same numbers on every machine, unlike std::uniform_int_distribution.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  /// In 0 .. sides - 1; the bias is below 2^-32.
  std::size_t roll(std::size_t sides) { return static_cast<std::size_t>((engine_() >> 32) * sides >> 32); }
  bool chance(double probability) { return static_cast<double>(engine_() >> 11) * 0x1p-53 < probability; }

 private:
  std::mt19937_64 engine_;
};

Genome random_genome(const Space& space, Dice& dice);
/// The better of two that the dice pick.
const Individual& tournament(std::span<const Individual> population, Dice& dice);
/// A child of both: whole stages or single genes from either parent, then each gene mutated with a chance of
/// about one and a half in all.
Genome offspring(const Space& space, const Genome& mother, const Genome& father, Dice& dice);

}  // namespace dofa::search
