// SPDX-License-Identifier: Apache-2.0
#include "models/search/front.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace dofa::search {

std::vector<std::size_t> pareto(std::span<const Point> points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return points[a].cost != points[b].cost ? points[a].cost < points[b].cost
                                            : points[a].accuracy > points[b].accuracy;
  });
  std::vector<std::size_t> front;
  for (const std::size_t i : order)
    if (front.empty() || points[i].accuracy > points[front.back()].accuracy) front.push_back(i);
  return front;
}

double hypervolume(std::span<const Point> points, const Point& reference) {
  double area = 0;
  double floor = reference.accuracy;
  for (const std::size_t i : pareto(points)) {
    if (points[i].cost >= reference.cost || points[i].accuracy <= floor) continue;
    area += (reference.cost - points[i].cost) * (points[i].accuracy - floor);
    floor = points[i].accuracy;
  }
  return area;
}

std::vector<std::size_t> thin(std::span<const Point> front, std::size_t levels) {
  const std::size_t count = front.size();
  std::vector<std::size_t> all(count);
  std::iota(all.begin(), all.end(), std::size_t{0});
  if (count <= levels) return all;
  if (levels == 0) return {};
  if (levels == 1) return {count - 1};  // the most accurate that was allowed
  const auto span_of = [](double low, double high) { return high > low ? high - low : 1.0; };
  const double costs = span_of(std::log(front.front().cost), std::log(front.back().cost));
  const double accuracies = span_of(front.front().accuracy, front.back().accuracy);
  const auto squared_gap = [&](std::size_t a, std::size_t b) {
    const double gap = (std::log(front[b].cost) - std::log(front[a].cost)) / costs +
                       (front[b].accuracy - front[a].accuracy) / accuracies;
    return gap * gap;
  };
  // best[k][i]: least sum where point i is the k-th that is kept.
  constexpr double kNever = std::numeric_limits<double>::infinity();
  std::vector<std::vector<double>> best(levels, std::vector<double>(count, kNever));
  std::vector<std::vector<std::size_t>> before(levels, std::vector<std::size_t>(count, 0));
  best[0][0] = 0;
  for (std::size_t k = 1; k < levels; ++k) {
    for (std::size_t i = k; i < count; ++i) {
      for (std::size_t j = k - 1; j < i; ++j) {
        const double sum = best[k - 1][j] + squared_gap(j, i);
        if (sum < best[k][i]) {
          best[k][i] = sum;
          before[k][i] = j;
        }
      }
    }
  }
  std::vector<std::size_t> kept{count - 1};
  for (std::size_t k = levels - 1; k > 0; --k) kept.push_back(before[k][kept.back()]);
  std::ranges::reverse(kept);
  return kept;
}

}  // namespace dofa::search
