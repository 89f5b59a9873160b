// SPDX-License-Identifier: Apache-2.0
// Iterated local search (Lourenço et al., 2003) along a front: each walker looks for the most of accuracy
// minus its own price times cost, so that all of them together cover the front. A round kicks every walker
// and then changes one site at a time for the better until nothing helps. Walkers share their batches.
// Single-threaded.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "models/search/evolve.hpp"

namespace dofa::search {

class Walkers {
 public:
  /// Scores genomes; whoever gives it also remembers what is worth remembering. Returns fewer points than
  /// genomes where the search has to end.
  using Evaluate = std::function<std::vector<Point>(const std::vector<Genome>&)>;

  /// `front` by rising cost, not empty. Each of `count` walkers starts on the member that is best by its
  /// price.
  Walkers(const Space& space, const Limits& limits, std::span<const FrontMember> front, std::size_t count);

  /// One kick and descent of all walkers; false where evaluations ran out.
  bool round(const Evaluate& evaluate, Dice& dice);

 private:
  struct Walker {
    double price = 0;  ///< accuracy that a unit of cost is worth
    Genome home{};
    double home_value = 0;
    Genome genome{};
    double value = 0;
    std::size_t calm = 0;  ///< sites tried since the last improvement
  };

  [[nodiscard]] double value(const Point& point, double price) const;
  void kick(Walker& walker, Dice& dice) const;
  /// Every other choice at a site: of a block's kernel and ratio, of a depth, or of the resolution.
  void add_choices(const Genome& genome, std::size_t site, std::vector<Genome>& out) const;

  const Space& space_;
  Limits limits_;
  std::vector<Walker> walkers_;
};

}  // namespace dofa::search
