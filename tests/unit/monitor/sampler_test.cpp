// SPDX-License-Identifier: Apache-2.0
// Periods, ages, events, and files that are cut, garbage, forbidden or gone.
#include "daemon/monitor/sampler.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "tests/support/catch.hpp"
#include "tests/unit/monitor/boards.hpp"

using namespace dofa::monitor;
using namespace dofa::monitor::test;

namespace {

constexpr std::int64_t kStartUs = 5'000'000;
constexpr std::int64_t kTickUs = 50'000;

Options options_for(const FakeRoot& root) {
  Options options;
  options.root = root.path();
  options.tegrastats_enabled = false;
  options.nvml_enabled = false;
  return options;
}

// Runs a sampler tick by tick in made-up time.
class Walk {
 public:
  explicit Walk(const FakeRoot& root) : sampler_(options_for(root)) {}
  const Snapshot& ticks(int count) {
    for (int i = 0; i < count; ++i) sampler_.sample(now_us_ += kTickUs);
    return sampler_.snapshot();
  }
  [[nodiscard]] std::int64_t now_us() const { return now_us_; }
  Sampler& sampler() { return sampler_; }

 private:
  Sampler sampler_;
  std::int64_t now_us_ = kStartUs;
};

bool fraction(double value) {
  return value >= 0 && value <= 1;
}

// Whatever the files said: no reading that is present may be nonsense.
void check_sane(const Snapshot& seen) {
  if (seen.cpu.present()) {
    CHECK((seen.cpu.value.busy_cores >= 0 && seen.cpu.value.busy_cores <= seen.cpu.value.cores + 1e-9));
    CHECK((seen.cpu.value.others_cores >= 0 && seen.cpu.value.others_cores <= seen.cpu.value.busy_cores));
  }
  if (seen.memory.present()) CHECK((seen.memory.value.total_kb >= 0 && seen.memory.value.available_kb >= 0));
  for (const ThermalZone& zone : seen.thermal.value) CHECK((zone.celsius >= -100 && zone.celsius <= 250));
  for (const PowerRail& rail : seen.rails.value) CHECK(std::isfinite(rail.milliwatts));
  for (const Gpu& gpu : seen.gpus) CHECK((!gpu.load.present() || fraction(gpu.load.value)));
  const auto usable = usable_cores(seen);
  CHECK((!usable || (*usable > 0 && *usable <= 256)));
}

bool any_fresh(const Snapshot& seen) {
  return std::any_of(seen.sources.begin(), seen.sources.end(),
                     [](const SourceState& source) { return source.validity == Validity::kFresh; });
}

// An ordinary user for as long as it lives; as root it becomes nobody.
class AsNobody {
 public:
  AsNobody() : was_root_(::geteuid() == 0) {
    constexpr uid_t kNobody = 65534;
    if (was_root_) REQUIRE(::seteuid(kNobody) == 0);
  }
  ~AsNobody() {
    if (was_root_ && ::seteuid(0) != 0) std::abort();
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  bool was_root_;
};

const std::vector<FakeFile>& board(int index) {
  const std::vector<FakeFile>* boards[] = {&kServer, &kLaptop, &kRaspberryPi, &kNano, &kXavierNx, &kOrin};
  return *boards[index];
}
constexpr int kBoards = 6;
const FakeFile kStat = {"/proc/stat", "cpu  10 0 0 90\ncpu0 10 0 0 90\nprocs_running 1\n"};

}  // namespace

TEST_CASE("each source is read at its own period") {
  const FakeRoot root(kOrin);
  root.write(kStat.path, kStat.text);
  Walk walk(root);
  walk.ticks(2);
  root.write({{"/sys/class/thermal/thermal_zone0/temp", "60000\n"},
              {"/sys/devices/platform/bus@0/17000000.gpu/load", "100\n"},
              {"/proc/meminfo", "MemTotal: 7800000 kB\nMemAvailable: 5 kB\n"}});
  CHECK(walk.ticks(1).gpus[0].load.value == 0.1);                    // tick 3: every 100 ms
  CHECK(walk.ticks(1).memory.value.available_kb == 1400000);         // tick 4
  CHECK(walk.ticks(1).memory.value.available_kb == 5);               // tick 5: every 200 ms
  CHECK(walk.ticks(15).thermal.value[0].celsius == Approx(53.968));  // tick 20
  CHECK(walk.ticks(1).thermal.value[0].celsius == Approx(60));       // tick 21: every second
  CHECK(walk.sampler().snapshot().sequence == 21);
}

TEST_CASE("a reading grows stale, then absent, and a new one is fresh again") {
  const FakeRoot root;
  root.write(kStat.path, kStat.text);
  Walk walk(root);
  CHECK_FALSE(walk.ticks(1).cpu.present());
  CHECK(walk.ticks(1).cpu.fresh());
  root.remove("/proc/stat");
  CHECK(walk.ticks(3).cpu.fresh());
  CHECK(walk.ticks(1).cpu.validity == Validity::kStale);
  CHECK(walk.sampler().snapshot().cpu.value.cores == 1);  // still the last thing known
  CHECK(walk.ticks(96).cpu.validity == Validity::kStale);
  CHECK(walk.ticks(1).cpu.validity == Validity::kAbsent);
  root.write(kStat.path, kStat.text);
  CHECK(walk.ticks(2).cpu.fresh());
}

TEST_CASE("an old snapshot is not believed, however fresh it was") {
  const FakeRoot root(kOrin);
  root.write(kStat.path, kStat.text);
  Walk walk(root);
  Snapshot kept = walk.ticks(2);
  REQUIRE(kept.cpu.fresh());
  REQUIRE(kept.gpus[0].load.fresh());
  refresh_validity(kept, walk.now_us() + 200'000);
  CHECK(kept.cpu.validity == Validity::kStale);
  CHECK(kept.thermal.fresh());  // read once a second only
  refresh_validity(kept, walk.now_us() + 60'000'000);
  CHECK_FALSE(kept.cpu.present());
  CHECK_FALSE(kept.thermal.present());
  CHECK_FALSE(kept.gpus[0].load.present());
}

TEST_CASE("comings and goings are told once, and a flapping source does not fill the log") {
  const FakeRoot root;
  root.write(kStat.path, kStat.text);
  Walk walk(root);
  walk.ticks(10);
  auto events = walk.sampler().drain_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].source == Source::kCpuTimes);
  CHECK(events[0].came);
  CHECK(walk.sampler().drain_events().empty());
  walk.ticks(300);
  root.remove("/proc/stat");
  walk.ticks(20);
  events = walk.sampler().drain_events();
  REQUIRE(events.size() == 1);
  CHECK_FALSE(events[0].came);
  constexpr int kMinuteInTicks = 1200;
  for (int tick = 0; tick < kMinuteInTicks; tick += 10) {
    root.write(kStat.path, kStat.text);
    walk.ticks(5);
    root.remove("/proc/stat");
    walk.ticks(5);
  }
  events = walk.sampler().drain_events();
  CHECK(events.size() >= 2);
  CHECK(events.size() <= 7);
}

TEST_CASE("sensors that appear later are found") {
  const FakeRoot root;
  root.write(kStat.path, kStat.text);
  Walk walk(root);
  walk.ticks(5);
  root.write({{"/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"},
              {"/sys/class/thermal/thermal_zone0/temp", "50000\n"}});
  CHECK_FALSE(walk.ticks(100).thermal.present());
  CHECK(walk.ticks(130).thermal.fresh());  // looked for every ten seconds
}

TEST_CASE("the sampler accounts for itself") {
  const FakeRoot root(kOrin);
  Walk walk(root);
  walk.ticks(50);
  const SamplerCost cost = walk.sampler().snapshot().cost;
  CHECK(cost.ticks == 50);
  CHECK(cost.last_tick_us > 0);
  CHECK(cost.max_tick_us >= cost.last_tick_us);
  // A second of made-up time, in which every tick took some real time.
  CHECK(cost.cpu_fraction > 0);
}

TEST_CASE("registered workers' waiting reaches the snapshot") {
  const FakeRoot root;
  root.write("/proc/self/task/7/schedstat", "0 0 0\n");
  Walk walk(root);
  walk.sampler().add_worker(7);
  walk.ticks(1);
  root.write("/proc/self/task/7/schedstat", "0 4000000 0\n");
  CHECK(walk.ticks(1).run_queue.value.wait_us == 4000);
  walk.sampler().remove_worker(7);
  CHECK(walk.ticks(10).run_queue.validity == Validity::kStale);
}

TEST_CASE("files cut anywhere give sane readings or none") {
  const int index = GENERATE(range(0, kBoards));
  for (const int percent : {0, 30, 60, 95}) {
    const FakeRoot root(board(index));
    root.write(kStat.path, kStat.text);
    Walk walk(root);
    walk.ticks(2);
    for (const FakeFile& file : board(index)) {
      root.write(file.path, file.text.substr(0, file.text.size() * static_cast<std::size_t>(percent) / 100));
    }
    root.write(kStat.path, kStat.text.substr(0, kStat.text.size() * static_cast<std::size_t>(percent) / 100));
    check_sane(walk.ticks(300));
    check_sane(Walk(root).ticks(25));  // and from the start
  }
}

TEST_CASE("files of garbage give no reading") {
  const int index = GENERATE(range(0, kBoards));
  const std::string long_number(5000, '9');
  const std::string binary("\0\xff\x80 \n\n\0:=@", 10);
  for (const std::string& garbage :
       {std::string("garbage\n"), binary, long_number, std::string("-"), std::string()}) {
    const FakeRoot root(board(index));
    for (const FakeFile& file : board(index)) root.write(file.path, garbage);
    root.write("/proc/stat", garbage);
    const Snapshot seen = Walk(root).ticks(50);
    check_sane(seen);
    CHECK_FALSE(any_fresh(seen));
  }
}

TEST_CASE("files that vanish leave no reading behind") {
  const int index = GENERATE(range(0, kBoards));
  const FakeRoot root(board(index));
  root.write(kStat.path, kStat.text);
  Walk walk(root);
  REQUIRE(any_fresh(walk.ticks(25)));
  root.remove("/proc");
  root.remove("/sys");
  const Snapshot seen = walk.ticks(700);
  for (const SourceState& source : seen.sources) CHECK(source.validity == Validity::kAbsent);
  CHECK_FALSE(board_power_mw(seen));
}

TEST_CASE("what the service's user may not read is absent, and the rest is there") {
  const int index = GENERATE(range(0, kBoards));
  const FakeRoot root(board(index));
  root.write(kStat.path, kStat.text);
  for (const FakeFile& file : board(index)) REQUIRE(::chmod((root / file.path).c_str(), 0) == 0);
  const AsNobody nobody;
  Walk walk(root);
  const Snapshot seen = walk.ticks(25);
  CHECK(seen.cpu.fresh());
  for (const SourceState& source : seen.sources) {
    if (&source != &seen.sources[0]) CHECK(source.validity == Validity::kAbsent);
  }
}
