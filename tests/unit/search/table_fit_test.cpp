// SPDX-License-Identifier: Apache-2.0
#include "models/search/table_fit.hpp"

#include <cmath>
#include <map>
#include <set>

#include "models/search/nsga2.hpp"
#include "tests/support/catch.hpp"

using namespace dofa::search;

TEST_CASE("covering networks meet every choice of every place twice, in different company") {
  const auto space =
      GENERATE(published_space({160}), Space{{3, 5}, {3, 4, 6}, {2, 3}, {160}}, Space{{3}, {6}, {4}, {160}});
  const std::size_t choices = space.kernels.size() * space.ratios.size();
  const std::vector<Candidate> networks = covering_networks(space, 160);
  CHECK(networks.size() == 2 * choices);
  for (std::size_t place = 0; place < kBlocks; ++place) {
    std::map<std::pair<int, int>, int> met;
    for (const Candidate& network : networks)
      ++met[{network.architecture.kernel_sizes[place], network.architecture.expand_ratios[place]}];
    CHECK(met.size() == choices);
    for (const auto& [choice, times] : met) CHECK(times == 2);
  }
  if (choices < 3) return;
  std::set<std::array<int, 4>> pairs;  // a choice and the one before it
  for (const Candidate& network : networks)
    pairs.insert({network.architecture.kernel_sizes[6], network.architecture.expand_ratios[6],
                  network.architecture.kernel_sizes[5], network.architecture.expand_ratios[5]});
  CHECK(pairs.size() > choices);
}

TEST_CASE("random networks are different and the same each time") {
  const Space space = published_space({160, 224});
  const std::vector<Candidate> networks = random_networks(space, 40, 3);
  CHECK(networks.size() == 40);
  CHECK(networks == random_networks(space, 40, 3));
  CHECK(networks != random_networks(space, 40, 4));
  for (std::size_t i = 0; i < networks.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) CHECK(!(networks[i] == networks[j]));
  CHECK(random_networks({{3}, {6}, {2}, {32, 40}}, 40, 3).size() == 2);  // all there are
}

TEST_CASE("the least of each run counts, outliers do not") {
  const std::vector<std::vector<double>> runs{{10, 11, 12, 500}, {20, 20, 21, 22, 90}};
  const LayerTime time = summarise(runs);
  CHECK(time.mean_us == Approx(15));
  CHECK(time.count == 7);  // without 500 and 90
  CHECK(time.std_us == Approx(std::sqrt((2 + 2.75) / 7)));
}

TEST_CASE("a fit finds scale, offset and price of a block again") {
  Dice dice(2);
  const Correction truth{1.2, 300, 15, 0, 0, 0};
  std::vector<MeasuredNetwork> networks;
  for (int i = 0; i < 20; ++i) {
    MeasuredNetwork network{2000 + static_cast<double>(dice.roll(8000)),
                            10 + static_cast<double>(dice.roll(11)), 0};
    network.measured_us = corrected_us(truth, network);
    networks.push_back(network);
  }
  SECTION("exactly, without noise") {
    const Correction fit = fit_correction(networks);
    CHECK(fit.scale == Approx(1.2));
    CHECK(fit.offset_us == Approx(300).margin(1));
    CHECK(fit.block_us == Approx(15).margin(0.1));
    CHECK(fit.fit_error < 1e-6);
    CHECK(fit.networks == 20);
  }
  SECTION("nearly, with two percent of noise") {
    for (MeasuredNetwork& network : networks)
      network.measured_us *= 1 + 0.02 * (static_cast<double>(dice.roll(2001)) / 1000 - 1);
    const Correction fit = fit_correction(networks);
    CHECK(fit.fit_error < 0.015);
    CHECK(fit.fit_error == Approx(mean_error(fit, networks)));
  }
}

TEST_CASE("what cannot be told apart is left out") {
  std::vector<MeasuredNetwork> networks(20, {1000, 10, 1500});
  const Correction alike = fit_correction(networks);
  CHECK(alike.scale == Approx(1.5));
  CHECK(alike.offset_us == 0);
  CHECK(alike.block_us == 0);
  networks.resize(3);
  CHECK(fit_correction(networks).offset_us == 0);
  CHECK(fit_correction({}).scale == 1);
}
