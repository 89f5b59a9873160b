// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/kernels/team.hpp"

#include <algorithm>
#include <atomic>
#include <vector>

#include "tests/support/catch.hpp"

namespace dofa::engine::kernels {

TEST_CASE("A team does every unit once, whatever its size, round after round") {
  const int workers = GENERATE(1, 2, 5);
  Team team(workers);
  REQUIRE(team.workers() == workers);
  for (int round = 0; round < 300; ++round) {
    const int units = round % 37;
    std::vector<std::atomic<int>> done(static_cast<std::size_t>(units));
    std::atomic<bool> strangers{false};
    team.for_each(units, [&](int unit, int worker) {
      ++done[static_cast<std::size_t>(unit)];
      if (worker < 0 || worker >= workers) strangers = true;
    });
    REQUIRE(std::all_of(done.begin(), done.end(), [](const auto& count) { return count == 1; }));
    REQUIRE_FALSE(strangers);
  }
}

TEST_CASE("A unit that waits for another one's helper finishes: helpers do help") {
  Team team(2);
  std::atomic<int> arrived{0};
  team.for_each(2, [&](int, int) {
    ++arrived;
    arrived.notify_all();
    for (int seen = arrived; seen < 2; seen = arrived) arrived.wait(seen);  // needs both at the same time
  });
  CHECK(arrived == 2);
}

TEST_CASE("What units write is there when the round is over") {
  Team team(3);
  std::vector<int> squares(1000);
  for (int round = 1; round < 50; ++round) {
    team.for_each(1000, [&](int unit, int) { squares[static_cast<std::size_t>(unit)] = round * unit; });
    for (int unit = 0; unit < 1000; ++unit) REQUIRE(squares[static_cast<std::size_t>(unit)] == round * unit);
  }
}

TEST_CASE("A team that never worked ends at once") {
  for (int i = 0; i < 20; ++i) Team team(4);
  CHECK(true);  // reaching this line is the test: no helper was left waiting
}

}  // namespace dofa::engine::kernels
