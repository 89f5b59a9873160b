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

TEST_CASE(
    "kept latencies come back, but not for another machine, version or description, nor out of a broken "
    "file") {
  char name[] = "/tmp/dofa-profiles-XXXXXX";
  const std::string directory = mkdtemp(name);
  const auto family = std::make_shared<test::FakeFamily>();
  LoadedFamily loaded("fake", family, {"cpu", "cuda:0"});
  const ProfileKeeper keeper{directory, "machine a"};
  CHECK_FALSE(keeper.find(*family, "cpu").has_value());
  loaded.set_measured(0, {{1000.5, 2001}, {}, false});
  SECTION("of one processor, while the other's are provisional") {
    loaded.set_measured(1, {{100, 200}, {}, true});
    REQUIRE(keeper.keep(loaded).ok());
    const auto found = keeper.find(*family, "cpu");
    REQUIRE(found);
    CHECK(found->time_us == std::vector<double>{1000.5, 2001});
    CHECK(found->batch_us.empty());
    CHECK_FALSE(found->provisional);
    CHECK_FALSE(keeper.find(*family, "cuda:0").has_value());
  }
  SECTION("of both, with batches as far as they were taken") {
    loaded.set_measured(1, {{100, 200}, {{150, 225.5, 0}, {300, 450, 0}}, false});
    REQUIRE(keeper.keep(loaded).ok());
    CHECK(keeper.find(*family, "cpu")->batch_us.empty());
    const auto found = keeper.find(*family, "cuda:0");
    REQUIRE(found);
    CHECK(found->time_us == std::vector<double>{100, 200});
    CHECK(found->batch_us == std::vector<MeasuredLevels::Batches>{{150, 225.5, 0}, {300, 450, 0}});
  }
  CHECK_FALSE(ProfileKeeper{directory, "machine b"}.find(*family, "cpu").has_value());
  CHECK_FALSE(ProfileKeeper{"", "machine a"}.find(*family, "cpu").has_value());
  std::ofstream(keeper.path_of(*family)) << "schema: 1\n";
  CHECK_FALSE(keeper.find(*family, "cpu").has_value());
  std::filesystem::remove_all(directory);
}

TEST_CASE("the fingerprint tells machines, lanes, versions and GPUs apart") {
  const std::string here = machine_fingerprint("/", 1, "1.0");
  CHECK(here == machine_fingerprint("/", 1, "1.0"));
  CHECK(here != machine_fingerprint("/", 2, "1.0"));
  CHECK(here != machine_fingerprint("/", 1, "1.1"));
  const auto with = [](const std::string& model, const std::string& driver,
                       const std::string& precision = "half") {
    return machine_fingerprint("/", 1, "1.0", {{"cuda:0", model, driver, "0000:01:00.0", 1}}, precision);
  };
  CHECK(with("A", "535") == with("A", "535"));
  CHECK(with("A", "535") != here);
  CHECK(with("A", "535") != with("B", "535"));
  CHECK(with("A", "535") != with("A", "550"));
  CHECK(with("A", "535") != with("A", "535", "float"));
}

TEST_CASE(
    "a family's profile has the points of every processor, and drops those that another there outdoes") {
  LoadedFamily loaded("fake", std::make_shared<test::FakeFamily>(), {"cpu", "cuda:0"});
  loaded.set_measured(0, {{1'000, 2'000}, {}, false});
  CHECK(loaded.runs_on(0));
  CHECK_FALSE(loaded.runs_on(1));
  CHECK(loaded.profile()->levels[1].time_us[1] == 0);
  loaded.set_measured(1, {{300, 300}, {{400, 0, 0}, {500, 0, 0}}, true});
  const auto profile = loaded.profile();
  CHECK(profile->levels[1].time_us[0] == 2'000);
  CHECK(profile->levels[1].time_us[1] == 300);
  CHECK(profile->levels[1].batch_time_us[1][0] == 500);
  CHECK(profile->levels[0].dominated[1]);  // the larger net takes no longer there
  CHECK_FALSE(profile->levels[0].dominated[0]);
  CHECK_FALSE(loaded.provisional(0));
  CHECK(loaded.provisional(1));
}
