// SPDX-License-Identifier: Apache-2.0
// Each probe alone on a fake root, with numbers worked out by hand.
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/monitor/core_probe.hpp"
#include "daemon/monitor/cpu_probe.hpp"
#include "daemon/monitor/gpu_probe.hpp"
#include "daemon/monitor/kernel_probe.hpp"
#include "daemon/monitor/power_probe.hpp"
#include "daemon/monitor/sysfile.hpp"
#include "daemon/monitor/thermal_probe.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/monitor/fake_root.hpp"

using namespace dofa::monitor;
using dofa::monitor::test::FakeRoot;

namespace {

CpuMoment moment(std::int64_t time_us, std::uint64_t own_us, std::string_view stat) {
  return {time_us, own_us, parse_proc_stat(stat).value()};
}

}  // namespace

TEST_CASE("CPU use: others' share is what is busy and not ours") {
  const CpuMoment before =
      moment(0, 1000, "cpu  0 0 0 0\ncpu0 100 0 0 500 0 0 0 0\ncpu1 100 0 0 500 0 0 0 0\n");
  // Core 0 ran 8 of 10 ticks, core 1 ran 3 of 10 and had 2 stolen; we used 50 of the 100 ms.
  const CpuMoment after = moment(
      100'000, 51'000, "cpu  0 0 0 0\ncpu0 106 1 1 501 1 0 0 0\ncpu1 101 0 0 505 0 1 1 2\nprocs_running 4\n");
  const CpuUse use = cpu_use(before, after);
  CHECK(use.window_us == 100'000);
  CHECK(use.cores == 2);
  CHECK(use.busy_cores == Approx(0.8 + 0.3));
  CHECK(use.own_cores == Approx(0.5));
  CHECK(use.others_cores == Approx(0.6));
  CHECK(use.steal_cores == Approx(0.2));
  CHECK(use.core_busy[0] == Approx(0.8));
  CHECK(use.core_busy[1] == Approx(0.3));
  CHECK(use.runnable == 4U);
}

TEST_CASE("CPU use: cores that come and go, counters that run backwards, more cores than are kept") {
  SECTION("a core that was offline at the start is unknown, one that left is offline") {
    const CpuUse use = cpu_use(moment(0, 0, "cpu  0 0 0 0\ncpu0 0 0 0 0\ncpu1 0 0 0 0\n"),
                               moment(100'000, 0, "cpu  0 0 0 0\ncpu0 5 0 0 5\ncpu2 9 0 0 1\n"));
    CHECK(use.cores == 2);
    REQUIRE(use.core_busy.size() == 3);
    CHECK(use.core_busy[0] == Approx(0.5));
    CHECK(use.core_busy[1] == -1);
    CHECK(use.core_busy[2] == -1);
    CHECK(use.busy_cores == Approx(0.5));
  }
  SECTION("idle time shrinks now and then") {
    const CpuUse use = cpu_use(moment(0, 500, "cpu  0 0 0 0\ncpu0 10 0 0 100\n"),
                               moment(100'000, 400, "cpu  0 0 0 0\ncpu0 20 0 0 99\n"));
    CHECK(use.busy_cores == Approx(1.0));
    CHECK(use.own_cores == 0);
  }
  SECTION("our own time, counted more exactly than ticks, never makes others negative") {
    const CpuUse use = cpu_use(moment(0, 0, "cpu  0 0 0 0\ncpu0 0 0 0 0\n"),
                               moment(100'000, 100'000, "cpu  0 0 0 0\ncpu0 9 0 0 1\n"));
    CHECK(use.others_cores == 0);
  }
  SECTION("the line of all cores stands in where not every core is kept") {
    std::string stat = "cpu  700 0 0 300\n";
    for (int core = 0; core < 300; ++core) stat += "cpu" + std::to_string(core) + " 0 0 0 0\n";
    const CpuUse use = cpu_use(moment(0, 0, "cpu  0 0 0 0\n"), moment(100'000, 0, stat));
    CHECK(use.cores == 300);
    CHECK(use.busy_cores == Approx(210));
  }
}

TEST_CASE("the CPU probe spans two periods and takes our share from /proc/self/stat below a fake root") {
  const FakeRoot root;
  TextBuffer buffer;
  const auto set = [&](int busy, int idle, int own_ticks) {
    root.write("/proc/stat",
               "cpu  0 0 0 0\ncpu0 " + std::to_string(busy) + " 0 0 " + std::to_string(idle) + "\n");
    root.write("/proc/self/stat",
               "1 (dofad) S 1 1 1 0 -1 0 0 0 0 0 " + std::to_string(own_ticks) + " 0 0 0 20 0 1 0 100 1 1\n");
  };
  CpuProbe probe(root.path());
  CHECK_FALSE(probe.sample(50'000, buffer));
  set(100, 1000, 0);
  CHECK_FALSE(probe.sample(100'000, buffer));  // nothing to compare with yet
  set(100, 1005, 0);
  REQUIRE(probe.sample(150'000, buffer));
  set(105, 1005, 2);
  const auto use = probe.sample(200'000, buffer);
  REQUIRE(use);
  CHECK(use->window_us == 100'000);
  CHECK(use->busy_cores == Approx(0.5));
  CHECK(use->own_cores == Approx(0.02 * 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK)) / 1e4 * 10));
  set(110, 1005, 2);
  CHECK(probe.sample(250'000, buffer)->busy_cores == Approx(1.0));  // the idle start has left the window
}

TEST_CASE("run-queue wait is summed over the registered threads") {
  const FakeRoot root;
  root.write("/proc/self/task/11/schedstat", "0 1000000 0\n");
  root.write("/proc/self/task/12/schedstat", "0 5000000 0\n");
  RunQueueProbe probe(root.path());
  CHECK_FALSE(probe.sample(50'000));
  probe.add(11);
  probe.add(12);
  probe.add(12);  // twice is once
  probe.add(99);  // no such thread
  CHECK_FALSE(probe.sample(100'000));
  root.write("/proc/self/task/11/schedstat", "0 4000000 0\n");
  root.write("/proc/self/task/12/schedstat", "0 7500000 0\n");
  const auto wait = probe.sample(150'000);
  REQUIRE(wait);
  CHECK(wait->window_us == 50'000);
  CHECK(wait->wait_us == 3000 + 2500);
  CHECK(wait->threads == 2);
  root.remove("/proc/self/task/11");
  root.write("/proc/self/task/12/schedstat", "0 8500000 0\n");
  CHECK(probe.sample(200'000)->wait_us == 1000);
  CHECK(probe.sample(250'000)->threads == 1);
  probe.remove(12);
  CHECK_FALSE(probe.sample(300'000));
}

TEST_CASE("pressure is the growth of the exact total over the window") {
  const FakeRoot root;
  PressureProbe probe(root.path(), "cpu");
  CHECK_FALSE(probe.sample(0));
  root.write("/proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000\n");
  CHECK_FALSE(probe.sample(50'000));
  root.write(
      "/proc/pressure/cpu",
      "some avg10=2.50 avg60=0.00 avg300=0.00 total=21000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n");
  const auto pressure = probe.sample(100'000);
  REQUIRE(pressure);
  CHECK(pressure->window_us == 50'000);
  CHECK(pressure->some_us == 20'000);
  CHECK(pressure->full_us == 7);
  CHECK(pressure->some_avg10 == Approx(2.5));
}

TEST_CASE("the cgroup probe finds our group in every layout, and the smallest quota above it") {
  SECTION("v2") {
    const FakeRoot root(
        {{"/proc/self/cgroup", "0::/system.slice/dofad.service\n"},
         {"/sys/fs/cgroup/cgroup.procs", ""},
         {"/sys/fs/cgroup/system.slice/cpu.max", "150000 100000\n"},
         {"/sys/fs/cgroup/system.slice/dofad.service/cpu.max", "250000 100000\n"},
         {"/sys/fs/cgroup/system.slice/dofad.service/cpu.stat", "usage_usec 1000000\nthrottled_usec 10\n"}});
    CgroupProbe probe(root.path());
    const auto first = probe.sample(1'000'000);
    REQUIRE(first);
    CHECK(first->quota_cores == 1.5);
    CHECK_FALSE(first->used_cores);
    root.write("/sys/fs/cgroup/system.slice/dofad.service/cpu.stat",
               "usage_usec 1100000\nthrottled_usec 5010\n");
    const auto second = probe.sample(1'200'000);
    REQUIRE(second);
    CHECK(*second->used_cores == Approx(0.5));
    CHECK(second->throttled_us == 5000);
  }
  SECTION("v1") {
    const FakeRoot root(
        {{"/proc/self/cgroup", "3:cpu,cpuacct:/docker/abc\n0::/docker/abc\n"},
         {"/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.stat", "nr_periods 1\nthrottled_time 2000000\n"},
         {"/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpuacct.usage", "5000000000\n"},
         {"/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "50000\n"},
         {"/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000\n"},
         {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"},
         {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"}});
    CgroupProbe probe(root.path());
    CHECK(probe.sample(1'000'000)->quota_cores == 0.5);
    root.write("/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpuacct.usage", "5100000000\n");
    root.write("/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.stat", "nr_periods 1\nthrottled_time 3000000\n");
    const auto group = probe.sample(1'100'000);
    CHECK(*group->used_cores == Approx(1.0));
    CHECK(group->throttled_us == 1000);
  }
  SECTION("hybrid systemd without a cpu controller, seen from inside a container, then moved") {
    const FakeRoot root({{"/proc/self/cgroup", "1:name=systemd:/\n0::/outside/path\n"},
                         {"/sys/fs/cgroup/unified/cgroup.procs", ""},
                         {"/sys/fs/cgroup/unified/cpu.stat", "usage_usec 5\n"},
                         {"/sys/fs/cgroup/unified/moved/cpu.stat", "usage_usec 7\nthrottled_usec 1\n"}});
    CgroupProbe probe(root.path());
    REQUIRE(probe.sample(1'000'000));
    CHECK_FALSE(probe.sample(1'050'000)->throttled_us);
    root.write("/proc/self/cgroup", "0::/moved\n");
    probe.rescan();
    REQUIRE(probe.sample(1'100'000));
    CHECK(probe.sample(1'150'000)->throttled_us == 0);
  }
}

TEST_CASE("topology and frequency of a big.LITTLE board") {
  const FakeRoot root({{"/sys/devices/system/cpu/online", "0-2\n"},
                       {"/sys/devices/system/cpu/cpu0/cpu_capacity", "446\n"},
                       {"/sys/devices/system/cpu/cpu1/cpu_capacity", "446\n"},
                       {"/sys/devices/system/cpu/cpu2/cpu_capacity", "1024\n"},
                       {"/sys/devices/system/cpu/cpufreq/boost", "1\n"},
                       {"/sys/devices/system/cpu/cpu0/cpufreq/related_cpus", "0 1\n"},
                       {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "600000\n"},
                       {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "1000000\n"},
                       {"/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "1500000\n"},
                       {"/sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "1\n"},
                       {"/sys/devices/system/cpu/cpu2/cpufreq/scaling_cur_freq", "2000000\n"},
                       {"/proc/self/status", "Cpus_allowed_list:\t1-2\n"}});
  TextBuffer buffer;
  const auto topology = TopologyProbe(root.path()).sample(buffer);
  REQUIRE(topology);
  CHECK(topology->online.count() == 3);
  CHECK(topology->allowed.count() == 2);
  CHECK(topology->capacity[0] == 446);
  CHECK(topology->capacity[2] == 1024);
  const auto frequency = FrequencyProbe(root.path()).sample();
  REQUIRE(frequency);
  REQUIRE(frequency->size() == 3);
  CHECK((*frequency)[1].current_khz == 600000);  // shares core 0's clock
  CHECK((*frequency)[1].limit_khz == 1000000);
  CHECK((*frequency)[1].hardware_khz == 1500000);
  CHECK((*frequency)[2].current_khz == 2000000);
  CHECK((*frequency)[2].limit_khz == 0);
}

TEST_CASE("thermal zones with the trip points that matter") {
  const FakeRoot root({{"/sys/class/thermal/thermal_zone0/type", "CPU-therm\n"},
                       {"/sys/class/thermal/thermal_zone0/temp", "45500\n"},
                       {"/sys/class/thermal/thermal_zone0/trip_point_0_type", "active\n"},
                       {"/sys/class/thermal/thermal_zone0/trip_point_0_temp", "51000\n"},
                       {"/sys/class/thermal/thermal_zone0/trip_point_1_type", "critical\n"},
                       {"/sys/class/thermal/thermal_zone0/trip_point_1_temp", "102500\n"},
                       {"/sys/class/thermal/thermal_zone0/trip_point_2_type", "passive\n"},
                       {"/sys/class/thermal/thermal_zone0/trip_point_2_temp", "97000\n"},
                       {"/sys/class/thermal/thermal_zone0/trip_point_3_type", "passive\n"},
                       {"/sys/class/thermal/thermal_zone0/trip_point_3_temp", "93500\n"},
                       {"/sys/class/thermal/thermal_zone1/type", "gpu-thermal\n"},
                       {"/sys/class/thermal/thermal_zone1/temp", "-256000\n"},
                       {"/sys/class/thermal/cooling_device0/type", "fan\n"},
                       {"/sys/class/hwmon/hwmon3/name", "coretemp\n"},
                       {"/sys/class/hwmon/hwmon3/temp1_label", "Package id 0\n"},
                       {"/sys/class/hwmon/hwmon3/temp1_input", "61000\n"},
                       {"/sys/class/hwmon/hwmon3/temp1_crit", "100000\n"},
                       {"/sys/class/hwmon/hwmon3/temp2_label", "Core 0\n"},
                       {"/sys/class/hwmon/hwmon3/temp2_input", "60000\n"},
                       {"/sys/class/hwmon/hwmon4/name", "nvme\n"},
                       {"/sys/class/hwmon/hwmon4/temp1_input", "33000\n"}});
  ThermalProbe probe(root.path());
  const auto zones = probe.sample();
  REQUIRE(zones);
  REQUIRE(zones->size() == 2);
  CHECK((*zones)[0].name.view() == "CPU-therm");
  CHECK((*zones)[0].celsius == Approx(45.5));
  CHECK(*(*zones)[0].passive_c == Approx(93.5));
  CHECK(*(*zones)[0].critical_c == Approx(102.5));
  CHECK((*zones)[1].name.view() == "coretemp Package id 0");
  CHECK(*(*zones)[1].critical_c == Approx(100));
  root.write("/sys/class/thermal/thermal_zone1/temp", "50000\n");  // the GPU gets power
  CHECK(probe.sample()->size() == 3);
}

TEST_CASE("RAPL: energy becomes power, also when the counter wraps") {
  CHECK(energy_used_uj(100, 350, 1000) == 250);
  CHECK(energy_used_uj(900, 50, 1000) == 150);
  CHECK_FALSE(energy_used_uj(900, 50, 0));
  CHECK_FALSE(energy_used_uj(-1, 50, 1000));
  const FakeRoot root({{"/sys/class/powercap/intel-rapl/enabled", "1\n"},
                       {"/sys/class/powercap/intel-rapl:0/name", "package-0\n"},
                       {"/sys/class/powercap/intel-rapl:0/max_energy_range_uj", "100000000\n"},
                       {"/sys/class/powercap/intel-rapl:0/energy_uj", "99000000\n"},
                       {"/sys/class/powercap/intel-rapl:0:0/name", "core\n"},
                       {"/sys/class/powercap/intel-rapl:0:0/energy_uj", "5\n"},
                       {"/sys/class/powercap/intel-rapl-mmio:0/name", "package-0\n"},
                       {"/sys/class/powercap/intel-rapl-mmio:0/energy_uj", "5\n"}});
  RaplProbe probe(root.path());
  CHECK_FALSE(probe.sample(1'000'000));
  root.write("/sys/class/powercap/intel-rapl:0/energy_uj", "19000000\n");  // 20 J further, around the end
  root.write("/sys/class/powercap/intel-rapl:0:0/energy_uj", "4\n");       // wrapped, range unknown
  const auto rails = probe.sample(3'000'000);
  REQUIRE(rails);
  REQUIRE(rails->size() == 1);
  CHECK((*rails)[0].name.view() == "package-0");
  CHECK((*rails)[0].milliwatts == Approx(10'000));
}

TEST_CASE("rails of the INA3221 through hwmon, iio and a chip with a power register") {
  const FakeRoot root({{"/sys/class/hwmon/hwmon1/name", "ina3221\n"},
                       {"/sys/class/hwmon/hwmon1/in1_label", "VDD_IN\n"},
                       {"/sys/class/hwmon/hwmon1/in1_input", "5000\n"},
                       {"/sys/class/hwmon/hwmon1/curr1_input", "900\n"},
                       {"/sys/class/hwmon/hwmon1/in2_label", "NC\n"},
                       {"/sys/class/hwmon/hwmon1/in2_input", "5000\n"},
                       {"/sys/class/hwmon/hwmon1/curr2_input", "0\n"},
                       {"/sys/class/hwmon/hwmon2/name", "ina238\n"},
                       {"/sys/class/hwmon/hwmon2/power1_input", "23500000\n"},
                       {"/sys/class/hwmon/hwmon3/name", "pwmfan\n"},
                       {"/sys/class/hwmon/hwmon3/curr1_input", "5\n"},
                       {"/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_0", "POM_5V_IN\n"},
                       {"/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input", "2045\n"}});
  RailsProbe probe(root.path());
  const auto rails = probe.sample();
  REQUIRE(rails);
  REQUIRE(rails->size() == 3);
  CHECK((*rails)[0].name.view() == "VDD_IN");
  CHECK((*rails)[0].milliwatts == Approx(4500));
  CHECK((*rails)[1].milliwatts == Approx(23'500));
  CHECK((*rails)[2].name.view() == "POM_5V_IN");
  CHECK((*rails)[2].milliwatts == Approx(2045));
}

TEST_CASE("battery and mains, whichever sign and unit the driver likes") {
  const FakeRoot root({{"/sys/class/power_supply/AC/type", "Mains\n"},
                       {"/sys/class/power_supply/AC/online", "0\n"},
                       {"/sys/class/power_supply/BAT0/type", "Battery\n"},
                       {"/sys/class/power_supply/BAT0/status", "Discharging\n"},
                       {"/sys/class/power_supply/BAT0/capacity", "63\n"},
                       {"/sys/class/power_supply/BAT0/power_now", "-7500000\n"},
                       {"/sys/class/power_supply/hidpp/type", "Battery\n"},
                       {"/sys/class/power_supply/hidpp/scope", "Device\n"},
                       {"/sys/class/power_supply/hidpp/capacity", "5\n"}});
  PowerSupplyProbe probe(root.path());
  auto supply = probe.sample();
  REQUIRE(supply);
  CHECK(supply->mains_online == false);
  CHECK(supply->battery_percent == 63.0);
  CHECK(*supply->battery_mw == Approx(7500));
  root.write({{"/sys/class/power_supply/AC/online", "1\n"},
              {"/sys/class/power_supply/BAT0/status", "Charging\n"},
              {"/sys/class/power_supply/BAT0/voltage_now", "12000000\n"},
              {"/sys/class/power_supply/BAT0/current_now", "2000000\n"}});
  root.remove("/sys/class/power_supply/BAT0/power_now");
  supply = probe.sample();
  CHECK(supply->mains_online == true);
  CHECK(*supply->battery_mw == Approx(-24'000));
  root.remove("/sys/class/power_supply");
  CHECK_FALSE(probe.sample());
}

TEST_CASE("an integrated GPU is found wherever the release puts it") {
  SECTION("devfreq with its device, JetPack 5 and later") {
    const FakeRoot root(
        {{"/sys/devices/platform/17000000.gpu/load", "375\n"},
         {"/sys/devices/platform/17000000.gpu/devfreq/17000000.gpu/cur_freq", "612000000\n"},
         {"/sys/devices/platform/17000000.gpu/devfreq/17000000.gpu/max_freq", "1300500000\n"}});
    root.link("/sys/class/devfreq/17000000.gpu", "/sys/devices/platform/17000000.gpu/devfreq/17000000.gpu");
    root.link("/sys/devices/platform/17000000.gpu/devfreq/17000000.gpu/device",
              "/sys/devices/platform/17000000.gpu");
    GpuSysfsProbe probe(root.path());
    const auto gpu = probe.sample();
    REQUIRE(gpu);
    CHECK(gpu->load == 0.375);
    CHECK(gpu->frequency_mhz == 612.0);
    CHECK(gpu->max_frequency_mhz == 1300.5);
  }
  SECTION("gpu.0 somewhere below /sys/devices, behind much else") {
    const FakeRoot root({{"/sys/devices/pci0000:00/0000:00:02.0/gpu.9/load", "900\n"},
                         {"/sys/devices/platform/host1x/gpu.0/load", "1000\n"},
                         {"/sys/devices/system/cpu/cpu0/x", "\n"}});
    const auto gpu = GpuSysfsProbe(root.path()).sample();
    REQUIRE(gpu);
    CHECK(gpu->name.view() == "gpu.0");
    CHECK(gpu->load == 1.0);
    CHECK_FALSE(gpu->frequency_mhz);
  }
  SECTION("a clock alone, as on Thor, and a load that appears later") {
    const FakeRoot root({{"/sys/class/devfreq/gpu-gpc-0/cur_freq", "1575000000\n"},
                         {"/sys/class/devfreq/gpu-nvd-0/cur_freq", "1\n"}});
    GpuSysfsProbe probe(root.path());
    REQUIRE(probe.sample());
    CHECK(probe.sample()->frequency_mhz == 1575.0);
    CHECK_FALSE(probe.sample()->load);
    root.write("/sys/devices/gpu.0/load", "10\n");
    probe.rescan();
    CHECK(probe.sample()->load == 0.01);
  }
  SECTION("none") {
    const FakeRoot root;
    CHECK_FALSE(GpuSysfsProbe(root.path()).sample());
    root.write("/sys/devices/gpu.0/load", "1001\n");  // not per mille: not believed
    GpuSysfsProbe probe(root.path());
    CHECK_FALSE(probe.sample());
  }
}

TEST_CASE("a file is read again through the descriptor, and missed when it goes") {
  const FakeRoot root;
  SysFile file(root / "/x");
  std::array<char, 16> buffer{};
  CHECK_FALSE(file.read(buffer));
  root.write("/x", "12\n");
  CHECK(file.read(buffer) == "12\n");
  root.write("/x", "345\n");
  CHECK(file.read(buffer) == "345\n");
  CHECK(file.read_integer() == 345);
  root.remove("/x");
  CHECK_FALSE(file.read(buffer));
  root.write("/x", "7\n");
  CHECK(file.read_integer() == 7);
  root.write("/x", std::string(200, '1'));
  CHECK_FALSE(file.read_integer());
  root.remove("/x");
  REQUIRE(::mkdir((root / "/x").c_str(), 0755) == 0);
  CHECK_FALSE(file.read(buffer));  // a directory
  root.remove("/x");
  REQUIRE(::mkfifo((root / "/x").c_str(), 0644) == 0);
  CHECK_FALSE(file.read(buffer));  // would wait for a writer
}
