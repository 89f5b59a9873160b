// SPDX-License-Identifier: Apache-2.0
// Measuring anew what has been measured before, because somebody asked for it.
#include "tests/support/catch.hpp"
#include "tests/unit/control/gpu_machine.hpp"

using namespace dofa;
using namespace dofa::test;

TEST_CASE("a family is measured anew when asked for, and the old profile serves until then") {
  Machine machine;
  const auto family = machine.runtime.families().at(0);
  REQUIRE(eventually([&] {
    machine.runtime.tick(now_us());
    return machine.listener.profiled == 2;  // a first look, then the real one
  }));
  REQUIRE_FALSE(family->provisional(kGpu));
  const auto old = family->profile();
  machine.gpu->run_us = 3'000;

  CHECK(machine.runtime.profile_family("other").error().code == ErrorCode::kNotFound);
  CHECK_FALSE(family->provisional(kGpu));
  REQUIRE(machine.runtime.profile_family("fake").ok());
  CHECK(family->provisional(kCpu));
  CHECK(family->provisional(kGpu));
  CHECK(machine.listener.profiled == 3);
  CHECK(family->profile() == old);
  CHECK(machine.serve(machine.open(fixed("cuda:0"))) == "cuda:0");
  CHECK(family->profile() == old);

  REQUIRE(eventually([&] {
    machine.runtime.tick(now_us() + 6'000'000);  // the refiner does not try more often
    return !family->provisional(kGpu);
  }));
  CHECK(family->profile() != old);
  CHECK(family->profile()->levels[0].time_us[kGpu] >= 3'000);  // the made-up GPU sleeps so long
  CHECK(family->profile()->levels[0].time_us[kCpu] == old->levels[0].time_us[kCpu]);
  CHECK(family->provisional(kCpu));  // whether it is quiet cannot be known here
  CHECK(eventually([&] { return machine.listener.profiled == 4; }));
}
