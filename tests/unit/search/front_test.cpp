// SPDX-License-Identifier: Apache-2.0
#include "models/search/front.hpp"

#include <cmath>
#include <limits>
#include <random>

#include "tests/support/catch.hpp"

using namespace dofa::search;

namespace {

std::vector<Point> random_points(std::size_t count, unsigned seed, int steps) {
  std::mt19937 random(seed);
  std::vector<Point> points;
  for (std::size_t i = 0; i < count; ++i)  // coarse steps, so that there are ties
    points.push_back(
        {1.0 + static_cast<double>(random() % steps), static_cast<double>(random() % steps) / steps});
  return points;
}

}  // namespace

TEST_CASE("the front is what no other point dominates") {
  for (unsigned seed = 0; seed < 50; ++seed) {
    const std::vector<Point> points = random_points(40, seed, 12);
    const std::vector<std::size_t> front = pareto(points);
    for (std::size_t i = 0; i < points.size(); ++i) {
      bool dominated = false, there = false;
      for (const Point& other : points) dominated = dominated || dominates(other, points[i]);
      for (const std::size_t member : front) there = there || points[member] == points[i];
      CHECK(there == !dominated);
    }
    for (std::size_t i = 1; i < front.size(); ++i) {
      CHECK(points[front[i - 1]].cost < points[front[i]].cost);
      CHECK(points[front[i - 1]].accuracy < points[front[i]].accuracy);
    }
  }
}

TEST_CASE("hypervolume is the area below the steps") {
  const Point reference{10, 0};
  CHECK(hypervolume({}, reference) == 0);
  const std::vector<Point> points{{2, 0.5}, {4, 0.75}, {5, 0.6}, {12, 1.0}, {1, -0.5}};
  CHECK(hypervolume(points, reference) == Approx(8 * 0.5 + 6 * 0.25));
}

TEST_CASE("hypervolume agrees with counting cells") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const std::vector<Point> points = random_points(15, seed, 20);
    int cells = 0;
    for (int cost = 1; cost < 21; ++cost)
      for (int level = 0; level < 20; ++level) {
        bool covered = false;
        for (const Point& point : points)
          covered = covered || (point.cost <= cost && std::lround(point.accuracy * 20) > level);
        cells += covered ? 1 : 0;
      }
    CHECK(hypervolume(points, {21, 0}) == Approx(cells / 20.0));
  }
}

TEST_CASE("thinning keeps both ends and spreads the rest evenly") {
  std::vector<Point> front;
  for (int i = 0; i <= 100; ++i) front.push_back({std::exp(i / 100.0), i / 100.0});
  CHECK(thin(front, 5) == std::vector<std::size_t>{0, 25, 50, 75, 100});
  CHECK(thin(front, 2) == std::vector<std::size_t>{0, 100});
  CHECK(thin(front, 1) == std::vector<std::size_t>{100});
  CHECK(thin(front, 0).empty());
  CHECK(thin(front, 200).size() == 101);
}

TEST_CASE("thinning is not drawn to where points crowd") {
  std::vector<Point> front;
  for (int i = 0; i < 50; ++i)
    front.push_back({std::exp(i / 5000.0), i / 5000.0});  // all in the first hundredth
  for (const double x : {0.3, 0.35, 0.7, 1.0}) front.push_back({std::exp(x), x});
  CHECK(thin(front, 4) == std::vector<std::size_t>{0, 51, 52, 53});
}

TEST_CASE("thinning finds the least sum of squared gaps") {
  std::mt19937 random(8);
  std::vector<Point> front;
  double cost = 1, accuracy = 0;
  for (int i = 0; i < 12; ++i) {
    cost *= 1.0 + static_cast<double>(random() % 100) / 100;
    accuracy += static_cast<double>(1 + random() % 50);
    front.push_back({cost, accuracy});
  }
  const auto sum_of = [&](const std::vector<std::size_t>& kept) {
    double sum = 0;
    for (std::size_t i = 1; i < kept.size(); ++i) {
      const Point &a = front[kept[i - 1]], &b = front[kept[i]];
      const double gap = std::log(b.cost / a.cost) / std::log(front.back().cost / front.front().cost) +
                         (b.accuracy - a.accuracy) / (front.back().accuracy - front.front().accuracy);
      sum += gap * gap;
    }
    return sum;
  };
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 1; i < 10; ++i)
    for (std::size_t j = i + 1; j < 11; ++j) least = std::min(least, sum_of({0, i, j, 11}));
  CHECK(sum_of(thin(front, 4)) == Approx(least));
}
