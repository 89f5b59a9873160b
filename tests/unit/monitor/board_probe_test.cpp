// SPDX-License-Identifier: Apache-2.0
// The probes of the board (cores, heat, power, GPU), each alone on a fake root, with numbers worked out by
// hand.
#include "daemon/monitor/core_probe.hpp"
#include "daemon/monitor/gpu_probe.hpp"
#include "daemon/monitor/power_probe.hpp"
#include "daemon/monitor/thermal_probe.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/monitor/fake_root.hpp"

using namespace dofa::monitor;
using dofa::monitor::test::FakeRoot;

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
