// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/processor_health.hpp"

#include "daemon/control/watcher.hpp"
#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::control;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

}  // namespace

TEST_CASE("a lost processor is tried again after pauses that double up to a minute") {
  ProcessorHealth health;
  std::int64_t now = 1000 * kSecond;
  CHECK_FALSE(health.try_now(now));
  for (const std::int64_t pause_s : {1, 2, 4, 8, 16, 32, 60, 60}) {
    health.lost(now, "gone");
    INFO(pause_s);
    CHECK_FALSE(health.usable());
    CHECK(health.reason() == "gone");
    CHECK_FALSE(health.try_now(now + pause_s * kSecond - 1));
    now += pause_s * kSecond;
    CHECK(health.try_now(now));
    CHECK_FALSE(health.try_now(now + 100 * kSecond));  // one attempt at a time
  }
  health.recovered(now);
  CHECK(health.usable());
  CHECK(health.reason().empty());
}

TEST_CASE("a processor lost soon after it came back waits longer, one that has proved itself does not") {
  ProcessorHealth health;
  health.lost(0, "gone");
  REQUIRE(health.try_now(kSecond));
  health.recovered(kSecond);
  SECTION("soon") {
    health.lost(2 * kSecond, "again");
    CHECK_FALSE(health.try_now(3 * kSecond));
    CHECK(health.try_now(4 * kSecond));
  }
  SECTION("after a minute of service") {
    health.lost(61 * kSecond, "again");
    CHECK(health.try_now(62 * kSecond));
  }
}

TEST_CASE("a GPU's reading is found by its PCI address, else by its name, else because there is only one") {
  const auto reading = [](const char* name, const char* address) {
    GpuReading out;
    out.name = name;
    out.pci_address = address;
    return out;
  };
  const engine::Gpu card{"cuda:0", "NVIDIA X", "1", "0000:3B:00.0", 1};
  CHECK(find_reading(card, {reading("NVIDIA X", "0000:01:00.0"), reading("NVIDIA X", "0000:3b:00.0")}) == 1);
  CHECK(find_reading(card, {reading("NVIDIA X", "0000:01:00.0")}) == 1);  // another card: none is its
  CHECK(find_reading(card, {}) == 0);
  const engine::Gpu unplaced{"cuda:0", "Orin", "1", "", 1};
  CHECK(find_reading(unplaced, {reading("NVIDIA X", "0000:01:00.0"), reading("Orin", "")}) == 1);
  CHECK(find_reading(unplaced, {reading("gpu", "")}) == 0);
  CHECK(find_reading(unplaced, {reading("gpu", ""), reading("NVIDIA X", "0000:01:00.0")}) == 2);
}

TEST_CASE("lanes belong to the CPU first and then to the GPUs") {
  const Processors processors(3, {{"cuda:0", "A", "", "", 0}, {"cuda:1", "B", "", "", 0}});
  CHECK(processors.names() == std::vector<std::string>{"cpu", "cuda:0", "cuda:1"});
  CHECK(processors.lane_count() == 5);
  CHECK(processors.of_lane(2) == 0);
  CHECK(processors.of_lane(3) == 1);
  CHECK(processors.of_lane(4) == 2);
  CHECK(processors[2].first_lane == 4);
  CHECK(Processors(1, std::vector<engine::Gpu>(20)).count() == policy::kMaxProcessors);
}
