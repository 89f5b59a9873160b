// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/profiler.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/support/catch.hpp"
#include "tests/support/fake_family.hpp"

using namespace dofa;
using namespace dofa::control;

TEST_CASE("kept latencies come back, but not for another machine, version or description, nor out of a broken file") {
  char name[] = "/tmp/dofa-profiles-XXXXXX";
  const std::string directory = mkdtemp(name);
  const auto family = std::make_shared<test::FakeFamily>();
  const ProfileKeeper keeper{directory, "machine a"};
  CHECK_FALSE(keeper.find(*family).has_value());
  std::vector<double> latency_us(family->levels().size());
  for (std::size_t i = 0; i < latency_us.size(); ++i) latency_us[i] = 1000.5 * static_cast<double>(i + 1);
  REQUIRE(keeper.keep(*family, latency_us).ok());
  CHECK(keeper.find(*family) == latency_us);
  CHECK_FALSE(ProfileKeeper{directory, "machine b"}.find(*family).has_value());
  CHECK_FALSE(ProfileKeeper{"", "machine a"}.find(*family).has_value());
  std::ofstream(keeper.path_of(*family)) << "schema: 1\n";
  CHECK_FALSE(keeper.find(*family).has_value());
  std::filesystem::remove_all(directory);
}

TEST_CASE("the fingerprint tells machines, lanes and versions apart") {
  const std::string here = machine_fingerprint("/", 1, "1.0");
  CHECK(here == machine_fingerprint("/", 1, "1.0"));
  CHECK(here != machine_fingerprint("/", 2, "1.0"));
  CHECK(here != machine_fingerprint("/", 1, "1.1"));
}
