// SPDX-License-Identifier: Apache-2.0
// The whole search: NSGA-II over genomes, then iterated local search along the front it found (walkers.hpp),
// then each single change of each member (Pareto local search, Paquete et al., 2004). An archive keeps every
// Pareto-optimal genome that was met. One
// run gives the whole front; the same seed gives the same one. Single-threaded itself; the scores may use
// more.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "models/search/nsga2.hpp"

namespace dofa::search {

/// Tells what genomes are worth, one point each.
using Score = std::function<void(std::span<const Genome>, std::span<Point>)>;

/// On the published predictor NSGA-II alone ends in a local optimum at the accurate end more often than not,
/// however large; a small population and much walking does not.
struct Settings {
  std::size_t population = 192;
  std::size_t generations = 100;
  std::uint64_t walk = 500'000;   ///< evaluations of the iterated local search; 0 leaves it out
  std::uint64_t polish = 60'000;  ///< evaluations of the last local search; 0 leaves it out
  std::uint64_t seed = 1;
  Limits limits;
};

struct FrontMember {
  Genome genome{};
  Point point;
};

/// Pareto-optimal genomes met so far, by rising cost. Of two with equal points the first stays.
class Archive {
 public:
  /// False where a member is at least as good.
  bool add(const Genome& genome, const Point& point);
  [[nodiscard]] std::size_t size() const { return members_.size(); }
  [[nodiscard]] std::vector<FrontMember> members() const;
  /// Up to `count` members whose neighbours nobody tried yet, spread over the front; marks them as tried.
  std::vector<Genome> untried(std::size_t count);

 private:
  struct Entry {
    Genome genome;
    double accuracy;
    bool tried;
  };
  std::map<double, Entry> members_;  ///< by cost; accuracy rises with it
};

/// How far a search is; valid during the call.
struct Stage {
  std::size_t generation = 0;  ///< of Settings::generations; stays when the local searches begin
  std::uint64_t evaluations = 0;
  const Archive& archive;
};
/// Called now and then; false ends the search with what there is.
using Watch = std::function<bool(const Stage&)>;

struct Found {
  std::vector<FrontMember> front;  ///< by rising cost; empty where nothing met keeps the limits
  Point nearest;                   ///< of the least violation that was met
  std::uint64_t evaluations = 0;
};

Found evolve(const Space& space, const Score& score, const Settings& settings, const Watch& watch = {});

/// Every genome that differs from this one in one choice, or in kernel and ratio of one block.
std::vector<Genome> neighbours(const Space& space, const Genome& genome);

}  // namespace dofa::search
