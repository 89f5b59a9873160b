// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/quantile.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "daemon/policy/session_stats.hpp"
#include "daemon/policy/token_bucket.hpp"
#include "tests/support/catch.hpp"

using namespace dofa::policy;
using Catch::Approx;

TEST_CASE("Normal quantiles agree with the printed tables") {
  // Abramowitz & Stegun, table 26.5 and 26.6.
  CHECK(normal_quantile(0.5) == Approx(0.0).margin(1e-9));
  CHECK(normal_quantile(0.95) == Approx(1.644853627).epsilon(1e-8));
  CHECK(normal_quantile(0.975) == Approx(1.959963985).epsilon(1e-8));
  CHECK(normal_quantile(0.999) == Approx(3.090232306).epsilon(1e-8));
  CHECK(normal_quantile(0.01) == Approx(-2.326347874).epsilon(1e-8));
  CHECK(normal_quantile(1e-9) == Approx(-5.997807015).epsilon(1e-7));
}

TEST_CASE("A sketch's quantiles are within two per cent of the sorted values'") {
  QuantileSketch sketch;
  std::vector<double> values;
  for (int i = 1; i <= 5000; ++i) {
    const double value = 50.0 + std::fmod(i * 7919.0, 90'000.0);
    values.push_back(value);
    sketch.add(value);
  }
  std::sort(values.begin(), values.end());
  for (double q : {0.01, 0.25, 0.5, 0.9, 0.99}) {
    INFO(q);
    CHECK(sketch.quantile(q) == Approx(values[static_cast<std::size_t>(q * 4999)]).epsilon(0.02));
  }
  CHECK(sketch.count() == 5000);
}

TEST_CASE("A sketch takes any number without harm") {
  QuantileSketch sketch;
  CHECK(sketch.quantile(0.5) == 0.0);
  for (double odd : {-5.0, 0.0, 1e300, HUGE_VAL, std::nan("")}) sketch.add(odd);
  CHECK(sketch.count() == 5);
  CHECK(std::isfinite(sketch.quantile(1.0)));
}

TEST_CASE("A token bucket lets a burst of two through and then one a period") {
  TokenBucket bucket(40'000, 2);
  CHECK(bucket.take(0));
  CHECK(bucket.take(0));
  CHECK_FALSE(bucket.take(0));
  CHECK_FALSE(bucket.take(39'000));
  CHECK(bucket.take(40'000));
  CHECK_FALSE(bucket.take(41'000));
  SECTION("savings end at the burst") {
    CHECK(bucket.take(10'000'000));
    CHECK(bucket.take(10'000'000));
    CHECK_FALSE(bucket.take(10'000'000));
  }
  SECTION("a clock that steps back earns nothing") {
    CHECK_FALSE(bucket.take(-1'000'000));
  }
}

TEST_CASE("A bucket without a period limits nothing") {
  TokenBucket bucket(0, 2);
  for (int i = 0; i < 100; ++i) CHECK(bucket.take(0));
}

TEST_CASE("Statistics count what was answered in time, late and not at all") {
  SessionStats stats;
  CHECK(stats.attainment() == 1.0);
  for (int i = 0; i < 4; ++i) stats.submitted();
  stats.served(true, 0.79, 100, 5'000, false);
  stats.served(true, 0.75, 100, 5'000, true);
  stats.served(false, 0.71, 100, 5'000, false);
  stats.dropped();
  CHECK(stats.frames() == 4);
  CHECK(stats.attainment() == Approx(0.5));
  CHECK(stats.missed() == 2);
  CHECK(stats.late() == 1);
  CHECK(stats.dips() == 1);
  CHECK(stats.mean_accuracy() == Approx(0.75));
  CHECK(stats.service_us().quantile(0.5) == Approx(5'000).epsilon(0.02));
}

TEST_CASE("Only the switches of the last minute count, however many came before") {
  SessionStats stats;
  for (int i = 0; i < 300; ++i) stats.switched(i);
  CHECK(stats.switches() == 300);
  CHECK(stats.switches_last_minute(1'000) == 128);  // the ring's size
  stats.switched(70'000'000);
  CHECK(stats.switches_last_minute(70'000'000) == 1);
}
