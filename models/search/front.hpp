// SPDX-License-Identifier: Apache-2.0
// Fronts of two objectives, a cost to keep low and an accuracy to keep high: which points are Pareto-optimal,
// how good a front is as a whole, and which few of its points stand for it. Pure functions; thread-safe.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace dofa::search {

struct Point {
  double cost = 0;      ///< lower is better: microseconds or multiply-accumulates
  double accuracy = 0;  ///< higher is better: top-1 as a fraction
  bool operator==(const Point&) const = default;
};

/// At least as good in both and better in one.
constexpr bool dominates(const Point& a, const Point& b) {
  return a.cost <= b.cost && a.accuracy >= b.accuracy && (a.cost < b.cost || a.accuracy > b.accuracy);
}

/// Indices of the points that no other dominates, by rising cost; of equal points the first.
std::vector<std::size_t> pareto(std::span<const Point> points);

/// Area that the points dominate, bounded by `reference` (a cost and an accuracy that are worse than all of
/// interest); points beyond it count nothing.
double hypervolume(std::span<const Point> points, const Point& reference);

/// Indices of at most `levels` points of a front (rising cost and accuracy), both ends among them, spread as
/// evenly as there are points: the sum of squared gaps is the least possible. A gap is measured in the
/// logarithm of the cost and in accuracy, each over the front's whole span.
std::vector<std::size_t> thin(std::span<const Point> front, std::size_t levels);

}  // namespace dofa::search
