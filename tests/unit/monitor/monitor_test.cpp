// SPDX-License-Identifier: Apache-2.0
// Publication without locks, and the thread around the sampler. Meant for ThreadSanitizer as well.
#include "daemon/monitor/monitor.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/unit/monitor/boards.hpp"

using namespace dofa::monitor;
using namespace dofa::monitor::test;

namespace {

template <class Done>
bool wait_for(Done done) {
  for (int i = 0; i < 5000; ++i) {
    if (done()) return true;
    ::poll(nullptr, 0, 2);
  }
  return false;
}

}  // namespace

TEST_CASE("readers of a seqlock never see half of one value and half of another") {
  struct Many {
    std::array<std::uint64_t, 500> numbers{};
    std::uint8_t odd_size = 0;
  };
  const auto all_equal_to = [](std::uint64_t number) {
    Many many;
    many.numbers.fill(number);
    many.odd_size = static_cast<std::uint8_t>(number);
    return many;
  };
  Seqlock<Many> shared(all_equal_to(0));
  constexpr std::uint64_t kRounds = 20'000;
  std::atomic<int> torn{0};
  std::atomic<int> backwards{0};
  const auto read = [&] {
    std::uint64_t last = 0;
    while (last < kRounds) {
      const Many seen = shared.load();
      for (const std::uint64_t number : seen.numbers) torn += number != seen.numbers[0];
      torn += seen.odd_size != static_cast<std::uint8_t>(seen.numbers[0]);
      backwards += seen.numbers[0] < last;
      last = seen.numbers[0];
    }
  };
  std::thread first(read);
  std::thread second(read);
  for (std::uint64_t round = 1; round <= kRounds; ++round) shared.store(all_equal_to(round));
  first.join();
  second.join();
  CHECK(torn == 0);
  CHECK(backwards == 0);
}

TEST_CASE("the monitor's thread publishes, takes workers while it runs, and stops at once") {
  const FakeRoot root(kOrin);
  root.write("/proc/stat", "cpu  10 0 0 90\ncpu0 10 0 0 90\n");
  root.write("/proc/self/task/77/schedstat", "0 0 0\n");
  Options options;
  options.root = root.path();
  options.cpu_period_us = 2000;
  options.tegrastats_enabled = false;
  options.nvml_enabled = false;
  Monitor monitor(options);
  CHECK(monitor.latest().sequence == 0);
  CHECK_FALSE(monitor.latest().cpu.present());
  REQUIRE(monitor.start());
  CHECK(monitor.start().error().code == dofa::ErrorCode::kBusy);
  monitor.add_worker(77);
  CHECK(wait_for([&] { return monitor.latest().run_queue.present(); }));
  CHECK(wait_for([&] { return monitor.latest().cpu.present() && monitor.latest().gpus.size() == 1; }));
  CHECK(monitor.latest().run_queue.value.threads == 1);
  monitor.remove_worker(77);
  CHECK(wait_for([&] { return !monitor.drain_events().empty(); }));
  monitor.stop();
  const std::uint64_t sequence = monitor.latest().sequence;
  CHECK(sequence > 0);
  // Restarting goes on where it stopped.
  REQUIRE(monitor.start());
  CHECK(wait_for([&] { return monitor.latest().sequence > sequence; }));
}

TEST_CASE("a snapshot whose sampler has stopped grows old by itself") {
  const FakeRoot root(kOrin);
  Options options;
  options.root = root.path();
  options.cpu_period_us = 1000;
  options.memory_period_us = 1000;
  options.tegrastats_enabled = false;
  options.nvml_enabled = false;
  Monitor monitor(options);
  REQUIRE(monitor.start());
  REQUIRE(wait_for([&] { return monitor.latest().memory.present(); }));
  monitor.stop();
  CHECK(wait_for([&] { return monitor.latest().memory.validity == Validity::kStale; }));
}
