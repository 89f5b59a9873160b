// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/slowdown.hpp"

#include <cmath>
#include <random>

#include "daemon/policy/quantile.hpp"
#include "tests/support/catch.hpp"

using namespace dofa::policy;
using Catch::Approx;

namespace {

constexpr std::int64_t kPeriodUs = 40'000;
const double kZ95 = normal_quantile(0.95);

/// Feeds frames of 10 ms at the given slowdown with normal noise; returns the share below the 0.95 quantile.
double feed(SlowdownFilter& filter, double slowdown, double spread, int frames, std::mt19937& engine,
            std::int64_t& now_us, double profile_us = 10'000) {
  std::normal_distribution<double> noise(1.0, spread);
  int covered = 0;
  for (int i = 0; i < frames; ++i) {
    const double measured = profile_us * slowdown * noise(engine);
    covered += measured <= filter.quantile_us(profile_us, kZ95);
    filter.observe(profile_us, measured, now_us += kPeriodUs);
  }
  return static_cast<double>(covered) / frames;
}

}  // namespace

TEST_CASE("The filter settles on a constant slowdown and carries it to other levels") {
  const double slowdown = GENERATE(0.7, 1.0, 1.8, 4.0);
  SlowdownFilter filter;
  std::mt19937 engine(1);
  std::int64_t now_us = 0;
  feed(filter, slowdown, 0.03, 200, engine, now_us);
  CHECK(filter.slowdown() == Approx(slowdown).epsilon(0.05));
  CHECK(filter.mean_us(2'500) == Approx(2'500 * slowdown).epsilon(0.05));
}

TEST_CASE("Quantiles cover what they promise, whatever the spread") {
  const double spread = GENERATE(0.02, 0.05, 0.10, 0.20);
  SlowdownFilter filter;
  std::mt19937 engine(7);
  std::int64_t now_us = 0;
  feed(filter, 1.5, spread, 500, engine, now_us);
  const double covered = feed(filter, 1.5, spread, 4'000, engine, now_us);
  INFO("spread " << spread << " covered " << covered);
  CHECK(covered >= (spread < 0.04 ? 0.95 : 0.93));  // below the noise floor of a machine it may be wide
  CHECK(covered <= (spread < 0.04 ? 1.0 : 0.97));
}

TEST_CASE("A doubled load is believed after three frames, a single outlier is not") {
  SlowdownFilter filter(GENERATE(SlowdownFilter::Outliers::kScattered, SlowdownFilter::Outliers::kAlone));
  std::mt19937 engine(3);
  std::int64_t now_us = 0;
  feed(filter, 1.0, 0.04, 200, engine, now_us);
  SECTION("three slow frames") {
    for (int i = 0; i < 3; ++i) filter.observe(10'000, 20'000, now_us += kPeriodUs);
    CHECK(filter.quantile_us(10'000, kZ95) > 17'000);
  }
  SECTION("one slow frame") {
    filter.observe(10'000, 40'000, now_us += kPeriodUs);
    CHECK(filter.slowdown() < 1.15);
    CHECK(filter.quantile_us(10'000, kZ95) < 14'000);
  }
}

TEST_CASE("Where outliers come alone, two in a row are believed as far as both go") {
  SlowdownFilter filter(SlowdownFilter::Outliers::kAlone);
  std::mt19937 engine(3);
  std::int64_t now_us = 0;
  feed(filter, 1.0, 0.04, 200, engine, now_us);
  SECTION("two very slow frames in a row") {
    for (int i = 0; i < 2; ++i) filter.observe(10'000, 60'000, now_us += kPeriodUs);
    CHECK(filter.slowdown() > 4);
  }
  SECTION("two of different length: as far as both go") {
    for (const double us : {200'000.0, 30'000.0}) filter.observe(10'000, us, now_us += kPeriodUs);
    CHECK(filter.slowdown() > 2.2);
    CHECK(filter.slowdown() < 3.1);
  }
  SECTION("two with a usual one between them") {
    for (const double us : {60'000.0, 10'000.0, 60'000.0}) filter.observe(10'000, us, now_us += kPeriodUs);
    CHECK(filter.slowdown() < 2.5);
  }
}

TEST_CASE("A jump of the monitor widens the prediction at once and leaves the mean") {
  SlowdownFilter filter;
  std::mt19937 engine(3);
  std::int64_t now_us = 0;
  for (int i = 0; i < 100; ++i) {
    feed(filter, 1.0, 0.03, 1, engine, now_us);
    filter.expect(1.0, now_us);
  }
  const double before = filter.quantile_us(10'000, kZ95);
  const double mean = filter.slowdown();
  SECTION("upwards") {
    filter.expect(2.0, now_us + 10'000);
    CHECK(filter.quantile_us(10'000, kZ95) > 1.2 * before);
    CHECK(filter.slowdown() == mean);
    filter.observe(10'000, 19'000, now_us + 20'000);
    CHECK(filter.slowdown() > 1.3);  // one frame now convinces
  }
  SECTION("small steps and nonsense do nothing") {
    filter.expect(1.2, now_us + 10'000);
    filter.expect(std::nan(""), now_us + 20'000);
    filter.expect(-3.0, now_us + 30'000);
    CHECK(filter.quantile_us(10'000, kZ95) == before);
  }
}

TEST_CASE("A processor that nobody uses is judged by the monitor") {
  SlowdownFilter filter;
  filter.observe(1'000, 20'000, 0);
  for (int i = 0; i < 10; ++i) filter.observe(1'000, 20'000, i * kPeriodUs);
  const double loaded = filter.slowdown();
  CHECK(loaded > 5);
  for (std::int64_t t = 1'000'000; t < 8'000'000; t += 50'000) filter.expect(1.0, t);
  CHECK(filter.slowdown() == Approx(1.0).epsilon(0.1));
}

TEST_CASE("Measurements that cannot be are ignored") {
  SlowdownFilter filter;
  const double before = filter.quantile_us(10'000, kZ95);
  for (double bad : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    filter.observe(10'000, bad, 1);
    filter.observe(bad, 10'000, 1);
  }
  CHECK(filter.quantile_us(10'000, kZ95) == before);
  CHECK(filter.observed_us() == INT64_MIN);
}

TEST_CASE("Clocks that jump and endless load keep the prediction finite") {
  SlowdownFilter filter;
  for (std::int64_t t :
       {std::int64_t{0}, std::int64_t{-5'000'000'000}, std::int64_t{1} << 60, std::int64_t{3}}) {
    filter.observe(1'000, 50'000'000, t);
    filter.expect(1e6, t);
    filter.forget(t);
    filter.observe(1'000, 1, t);
    REQUIRE(std::isfinite(filter.quantile_us(1'000, 3)));
    REQUIRE(filter.quantile_us(1'000, 3) > 0);
  }
}

TEST_CASE("Scheduler numbers foretell the recorded hogs") {
  // SUMMARY.md, 3: slowdowns measured with so many hogs on two cores (waiting not yet seen, so sharing
  // alone).
  const auto expected = [](double hogs) { return expected_cpu_slowdown({hogs, 1, 2, 0, 0}); };
  CHECK(expected(0) == 1.0);
  CHECK(expected(1) == 1.0);
  CHECK(expected(3) == Approx(2.0).epsilon(0.1));
  CHECK(expected(4) == Approx(2.5).epsilon(0.1));
  CHECK(expected(6) == Approx(3.3).epsilon(0.1));
  // Own waiting counts half: 10 ms run, 10 ms waited is a slowdown of 2.
  CHECK(expected_cpu_slowdown({0, 1, 2, 10'000, 10'000}) == Approx(1.5));
  CHECK(std::isnan(expected_cpu_slowdown({0, 1, 0, 0, 0})));
}
