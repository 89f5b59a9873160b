// SPDX-License-Identifier: Apache-2.0
// The whole sampler on six machines made of files.
#include <string>

#include "daemon/monitor/sampler.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/monitor/boards.hpp"

using namespace dofa::monitor;
using namespace dofa::monitor::test;

namespace {

constexpr std::int64_t kStartUs = 1'000'000'000;
constexpr std::int64_t kTickUs = 50'000;

Options options_for(const FakeRoot& root) {
  Options options;
  options.root = root.path();
  options.tegrastats_enabled = false;
  options.nvml_enabled = false;
  return options;
}

// Counters after `busy` of every 100 ticks on each of `cores` cores.
void advance(const FakeRoot& root, int cores, int hundreds, int busy) {
  std::string stat = "cpu  0 0 0 0 0 0 0 0 0 0\n";
  for (int core = 0; core < cores; ++core) {
    stat += "cpu" + std::to_string(core) + " " + std::to_string(hundreds * busy) + " 0 0 " +
            std::to_string(hundreds * (100 - busy)) + " 0 0 0 0 0 0\n";
  }
  root.write("/proc/stat", stat + "procs_running 3\n");
}

// A bit more than a second of ticks on a machine whose cores are busy to one quarter.
Snapshot watch(Sampler& sampler, const FakeRoot& root, int cores) {
  for (int tick = 0; tick <= 21; ++tick) {
    advance(root, cores, tick, 25);
    sampler.sample(kStartUs + tick * kTickUs);
  }
  return sampler.snapshot();
}

}  // namespace

TEST_CASE("an x86 server") {
  const FakeRoot root(kServer);
  Sampler sampler(options_for(root));
  watch(sampler, root, 4);
  root.write({{"/sys/class/powercap/intel-rapl:0/energy_uj", "30000000\n"},
              {"/sys/class/powercap/intel-rapl:0:0/energy_uj", "5000000\n"},
              {"/sys/class/powercap/intel-rapl:1/energy_uj", "20000000\n"}});
  for (int tick = 22; tick <= 40; ++tick) sampler.sample(kStartUs + tick * kTickUs);
  const Snapshot seen = sampler.snapshot();
  REQUIRE(seen.cpu.fresh());
  CHECK(seen.cpu.value.cores == 4);
  CHECK(cpu_temperature_c(seen) == Approx(57).margin(0));
  CHECK(cpu_frequency_mhz(seen) == Approx(2300).margin(0));
  CHECK(usable_cores(seen) == 2.0);  // four cores, a quota of two
  REQUIRE(seen.rapl.present());
  CHECK(board_power_mw(seen) ==
        Approx(50'000).margin(0));  // the packages, over one second; dram is one of the parts
  CHECK(seen.pressure_cpu.fresh());
  CHECK(seen.pressure_io.fresh());
  CHECK_FALSE(seen.power_supply.present());
  CHECK_FALSE(seen.rails.present());
  CHECK(seen.gpus.empty());
}

TEST_CASE("a laptop on battery, RAPL forbidden") {
  const FakeRoot root(kLaptop);
  // A directory in the file's place fails for root too, as the forbidden file does for the service's user.
  root.remove("/sys/class/powercap/intel-rapl:0/energy_uj");
  root.write("/sys/class/powercap/intel-rapl:0/energy_uj/x", "");
  Sampler sampler(options_for(root));
  const Snapshot seen = watch(sampler, root, 2);
  CHECK(seen.cpu.value.busy_cores == Approx(0.5));
  CHECK(seen.cpu.value.runnable == 3U);
  CHECK_FALSE(seen.rapl.present());
  REQUIRE(seen.power_supply.fresh());
  CHECK(seen.power_supply.value.mains_online == false);
  CHECK(board_power_mw(seen) == Approx(6250).margin(0));
  CHECK(cpu_temperature_c(seen) == Approx(44).margin(0));  // the package, though the board is warmer
  CHECK_FALSE(seen.thermal.value[1].passive_c);            // 0 means not set
  CHECK(seen.memory.value.swap_free_kb == 7000);
  CHECK_FALSE(seen.pressure_memory.present());
}

TEST_CASE("a Raspberry Pi, hot") {
  const FakeRoot root(kRaspberryPi);
  Sampler sampler(options_for(root));
  const Snapshot seen = watch(sampler, root, 4);
  CHECK(seen.cpu.value.others_cores == Approx(1.0));
  CHECK_FALSE(seen.pressure_cpu.present());
  CHECK_FALSE(seen.cgroup.present());
  CHECK_FALSE(board_power_mw(seen));
  REQUIRE(seen.frequency.fresh());
  CHECK(seen.frequency.value[3].limit_khz == 1000000);  // the firmware's cap, below what it could
  CHECK(seen.frequency.value[3].hardware_khz == 1500000);
  CHECK(*seen.thermal.value[0].critical_c == Approx(110));
  CHECK(usable_cores(seen) == 4.0);
}

TEST_CASE("a Jetson Nano on JetPack 4") {
  const FakeRoot root(kNano);
  Sampler sampler(options_for(root));
  const Snapshot seen = watch(sampler, root, 2);
  CHECK(seen.memory.value.available_kb == 3000000);
  CHECK(usable_cores(seen) == 2.0);
  REQUIRE(seen.cgroup.present());
  CHECK_FALSE(seen.cgroup.value.quota_cores);
  CHECK(cpu_temperature_c(seen) == Approx(36.5).margin(0));  // not the PMIC's made-up 100
  CHECK(board_power_mw(seen) == Approx(2045).margin(0));
  REQUIRE(seen.gpus.size() == 1);
  const Gpu& gpu = seen.gpus[0];
  CHECK(gpu.load.value == 0.25);
  CHECK(gpu.load.source == Source::kGpuSysfs);
  CHECK(gpu.frequency_mhz.value == Approx(921.6));
  CHECK(gpu.temperature_c.value == Approx(36));
  CHECK(gpu.temperature_c.source == Source::kThermal);
  CHECK(gpu.power_mw.value == Approx(123));
  CHECK_FALSE(gpu.memory_total_mb.present());
}

TEST_CASE("a Xavier NX on JetPack 4") {
  const FakeRoot root(kXavierNx);
  Sampler sampler(options_for(root));
  const Snapshot seen = watch(sampler, root, 6);
  CHECK(seen.cpu.value.cores == 6);
  CHECK(seen.topology.value.capacity[0] == 1024);
  REQUIRE(seen.gpus.size() == 1);
  CHECK(seen.gpus[0].load.value == 0.62);
  CHECK(seen.gpus[0].frequency_mhz.value == 306);
  CHECK_FALSE(seen.gpus[0].power_mw.present());  // VDD_CPU_GPU_CV is not the GPU's alone
  CHECK(cpu_temperature_c(seen) == Approx(43.5).margin(0));
  CHECK(board_power_mw(seen) == Approx(4067).margin(0));
}

TEST_CASE("an Orin on JetPack 6") {
  const FakeRoot root(kOrin);
  Sampler sampler(options_for(root));
  const Snapshot seen = watch(sampler, root, 6);
  CHECK(seen.pressure_cpu.fresh());
  CHECK(seen.thermal.value.size() == 3);  // cv0 has no power
  CHECK(*seen.thermal.value[0].passive_c == Approx(99));
  CHECK(board_power_mw(seen) == Approx(12'400).margin(0));
  REQUIRE(seen.gpus.size() == 1);
  CHECK(seen.gpus[0].load.value == 0.63);
  CHECK(seen.gpus[0].max_frequency_mhz.value == 624.75);
  CHECK(seen.gpus[0].temperature_c.value == Approx(53.343));
}

TEST_CASE("nothing at all is a machine, too") {
  const FakeRoot root;
  Sampler sampler(options_for(root));
  for (int tick = 0; tick < 300; ++tick) sampler.sample(kStartUs + tick * kTickUs);
  const Snapshot seen = sampler.snapshot();
  for (const SourceState& source : seen.sources) CHECK(source.validity == Validity::kAbsent);
  CHECK_FALSE(seen.cpu.present());
  CHECK_FALSE(cpu_temperature_c(seen));
  CHECK_FALSE(usable_cores(seen));
  CHECK(sampler.drain_events().empty());
}
