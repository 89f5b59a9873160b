// SPDX-License-Identifier: Apache-2.0
// Six machines as files, after how their kernels lay them out. CPU counters stand at zero; `advance()` in the
// tests moves them. Written for these tests; no dump of a real machine.
#pragma once

#include <vector>

#include "tests/unit/monitor/fake_root.hpp"

namespace dofa::monitor::test {

inline const FakeFile kModernPressure = {
    "/proc/pressure/cpu",
    "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"};

/// Two sockets, four cores, RAPL readable, no thermal zone but coretemp, a quota.
inline const std::vector<FakeFile> kServer = {
    kModernPressure,
    {"/proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"},
    {"/proc/pressure/io", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"},
    {"/proc/meminfo",
     "MemTotal: 263000000 kB\nMemAvailable: 250000000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n"},
    {"/proc/self/status", "Cpus_allowed_list:\t0-3\n"},
    {"/proc/self/cgroup", "0::/system.slice/dofad.service\n"},
    {"/sys/fs/cgroup/cgroup.procs", ""},
    {"/sys/fs/cgroup/system.slice/dofad.service/cpu.max", "200000 100000\n"},
    {"/sys/fs/cgroup/system.slice/dofad.service/cpu.stat", "usage_usec 0\nthrottled_usec 0\n"},
    {"/sys/devices/system/cpu/online", "0-3\n"},
    {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "2000000\n"},
    {"/sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "2200000\n"},
    {"/sys/devices/system/cpu/cpu2/cpufreq/scaling_cur_freq", "2400000\n"},
    {"/sys/devices/system/cpu/cpu3/cpufreq/scaling_cur_freq", "2600000\n"},
    {"/sys/class/hwmon/hwmon0/name", "coretemp\n"},
    {"/sys/class/hwmon/hwmon0/temp1_label", "Package id 0\n"},
    {"/sys/class/hwmon/hwmon0/temp1_input", "52000\n"},
    {"/sys/class/hwmon/hwmon1/name", "coretemp\n"},
    {"/sys/class/hwmon/hwmon1/temp1_label", "Package id 1\n"},
    {"/sys/class/hwmon/hwmon1/temp1_input", "57000\n"},
    {"/sys/class/powercap/intel-rapl:0/name", "package-0\n"},
    {"/sys/class/powercap/intel-rapl:0/energy_uj", "0\n"},
    {"/sys/class/powercap/intel-rapl:0:0/name", "dram\n"},
    {"/sys/class/powercap/intel-rapl:0:0/energy_uj", "0\n"},
    {"/sys/class/powercap/intel-rapl:1/name", "package-1\n"},
    {"/sys/class/powercap/intel-rapl:1/energy_uj", "0\n"},
};

/// On battery; RAPL is there but forbidden (the test takes the right away).
inline const std::vector<FakeFile> kLaptop = {
    kModernPressure,
    {"/proc/meminfo",
     "MemTotal: 16000000 kB\nMemAvailable: 9000000 kB\nSwapTotal: 8000 kB\nSwapFree: 7000 kB\n"},
    {"/proc/self/status", "Cpus_allowed_list:\t0-1\n"},
    {"/sys/devices/system/cpu/online", "0-1\n"},
    {"/sys/class/thermal/thermal_zone0/type", "acpitz\n"},
    {"/sys/class/thermal/thermal_zone0/temp", "48000\n"},
    {"/sys/class/thermal/thermal_zone1/type", "x86_pkg_temp\n"},
    {"/sys/class/thermal/thermal_zone1/temp", "44000\n"},
    {"/sys/class/thermal/thermal_zone1/trip_point_0_type", "passive\n"},
    {"/sys/class/thermal/thermal_zone1/trip_point_0_temp", "0\n"},
    {"/sys/class/powercap/intel-rapl:0/name", "package-0\n"},
    {"/sys/class/powercap/intel-rapl:0/energy_uj", "0\n"},
    {"/sys/class/power_supply/AC/type", "Mains\n"},
    {"/sys/class/power_supply/AC/online", "0\n"},
    {"/sys/class/power_supply/BAT0/type", "Battery\n"},
    {"/sys/class/power_supply/BAT0/status", "Discharging\n"},
    {"/sys/class/power_supply/BAT0/capacity", "81\n"},
    {"/sys/class/power_supply/BAT0/power_now", "6250000\n"},
};

/// No pressure, no cgroup cpu controller, no power to read; one clock for all cores; thermally capped right
/// now.
inline const std::vector<FakeFile> kRaspberryPi = {
    {"/proc/meminfo", "MemTotal: 3900000 kB\nMemAvailable: 3000000 kB\n"},
    {"/proc/self/status", "Cpus_allowed_list:\t0-3\n"},
    {"/proc/self/cgroup", "0::/system.slice/dofad.service\n"},
    {"/sys/devices/system/cpu/online", "0-3\n"},
    {"/sys/devices/system/cpu/cpu0/cpufreq/related_cpus", "0 1 2 3\n"},
    {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1000000\n"},
    {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "1000000\n"},
    {"/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "1500000\n"},
    {"/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"},
    {"/sys/class/thermal/thermal_zone0/temp", "80500\n"},
    {"/sys/class/thermal/thermal_zone0/trip_point_0_type", "critical\n"},
    {"/sys/class/thermal/thermal_zone0/trip_point_0_temp", "110000\n"},
};

/// L4T 32 (Linux 4.9, cgroup v1, no pressure, rails through iio); cores 2 and 3 switched off by the power
/// mode.
inline const std::vector<FakeFile> kNano = {
    {"/proc/meminfo", "MemTotal: 4000000 kB\nMemFree: 2000000 kB\nBuffers: 100000 kB\nCached: 900000 kB\n"},
    {"/proc/self/status", "Cpus_allowed_list:\t0-3\n"},
    {"/proc/self/cgroup", "3:cpu,cpuacct:/system.slice\n"},
    {"/sys/fs/cgroup/cpu,cpuacct/system.slice/cpu.stat", "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n"},
    {"/sys/fs/cgroup/cpu,cpuacct/system.slice/cpuacct.usage", "0\n"},
    {"/sys/fs/cgroup/cpu,cpuacct/system.slice/cpu.cfs_quota_us", "-1\n"},
    {"/sys/fs/cgroup/cpu,cpuacct/system.slice/cpu.cfs_period_us", "100000\n"},
    {"/sys/devices/system/cpu/online", "0-1\n"},
    {"/sys/devices/system/cpu/cpu0/cpufreq/related_cpus", "0 1 2 3\n"},
    {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "918000\n"},
    {"/sys/class/thermal/thermal_zone0/type", "AO-therm\n"},
    {"/sys/class/thermal/thermal_zone0/temp", "39500\n"},
    {"/sys/class/thermal/thermal_zone1/type", "CPU-therm\n"},
    {"/sys/class/thermal/thermal_zone1/temp", "36500\n"},
    {"/sys/class/thermal/thermal_zone2/type", "GPU-therm\n"},
    {"/sys/class/thermal/thermal_zone2/temp", "36000\n"},
    {"/sys/class/thermal/thermal_zone4/type", "PMIC-Die\n"},
    {"/sys/class/thermal/thermal_zone4/temp", "100000\n"},
    {"/sys/devices/gpu.0/load", "250\n"},
    {"/sys/class/devfreq/57000000.gpu/cur_freq", "921600000\n"},
    {"/sys/class/devfreq/57000000.gpu/max_freq", "921600000\n"},
    {"/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_0", "POM_5V_IN\n"},
    {"/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input", "2045\n"},
    {"/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_1", "POM_5V_GPU\n"},
    {"/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power1_input", "123\n"},
    {"/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_2", "POM_5V_CPU\n"},
    {"/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power2_input", "409\n"},
};

/// L4T 32 on Xavier: the GPU is called gv11b, rails of combined consumers.
inline const std::vector<FakeFile> kXavierNx = {
    {"/proc/meminfo", "MemTotal: 7900000 kB\nMemAvailable: 3300000 kB\n"},
    {"/proc/self/status", "Cpus_allowed_list:\t0-5\n"},
    {"/sys/devices/system/cpu/online", "0-5\n"},
    {"/sys/devices/system/cpu/cpu0/cpu_capacity", "1024\n"},
    {"/sys/devices/17000000.gv11b/load", "620\n"},
    {"/sys/class/devfreq/17000000.gv11b/cur_freq", "306000000\n"},
    {"/sys/class/thermal/thermal_zone0/type", "AUX-therm\n"},
    {"/sys/class/thermal/thermal_zone0/temp", "41500\n"},
    {"/sys/class/thermal/thermal_zone1/type", "GPU-therm\n"},
    {"/sys/class/thermal/thermal_zone1/temp", "43000\n"},
    {"/sys/class/thermal/thermal_zone2/type", "CPU-therm\n"},
    {"/sys/class/thermal/thermal_zone2/temp", "43500\n"},
    {"/sys/bus/i2c/drivers/ina3221x/7-0040/iio:device0/rail_name_0", "VDD_IN\n"},
    {"/sys/bus/i2c/drivers/ina3221x/7-0040/iio:device0/in_power0_input", "4067\n"},
    {"/sys/bus/i2c/drivers/ina3221x/7-0040/iio:device0/rail_name_1", "VDD_CPU_GPU_CV\n"},
    {"/sys/bus/i2c/drivers/ina3221x/7-0040/iio:device0/in_power1_input", "738\n"},
};

/// L4T 36 (Linux 5.15): pressure, cgroup v2, rails through hwmon, sensors without power, the GPU below bus@0.
inline const std::vector<FakeFile> kOrin = {
    kModernPressure,
    {"/proc/meminfo", "MemTotal: 7800000 kB\nMemAvailable: 1400000 kB\n"},
    {"/proc/self/status", "Cpus_allowed_list:\t0-5\n"},
    {"/proc/self/cgroup", "0::/system.slice/dofad.service\n"},
    {"/sys/fs/cgroup/cgroup.procs", ""},
    {"/sys/fs/cgroup/system.slice/dofad.service/cpu.stat", "usage_usec 0\n"},
    {"/sys/devices/system/cpu/online", "0-5\n"},
    {"/sys/devices/platform/bus@0/17000000.gpu/load", "630\n"},
    {"/sys/class/devfreq/17000000.gpu/cur_freq", "621000000\n"},
    {"/sys/class/devfreq/17000000.gpu/max_freq", "624750000\n"},
    {"/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"},
    {"/sys/class/thermal/thermal_zone0/temp", "53968\n"},
    {"/sys/class/thermal/thermal_zone0/trip_point_0_type", "passive\n"},
    {"/sys/class/thermal/thermal_zone0/trip_point_0_temp", "99000\n"},
    {"/sys/class/thermal/thermal_zone1/type", "gpu-thermal\n"},
    {"/sys/class/thermal/thermal_zone1/temp", "53343\n"},
    {"/sys/class/thermal/thermal_zone2/type", "cv0-thermal\n"},
    {"/sys/class/thermal/thermal_zone2/temp", "-256000\n"},
    {"/sys/class/thermal/thermal_zone8/type", "tj-thermal\n"},
    {"/sys/class/thermal/thermal_zone8/temp", "53968\n"},
    {"/sys/class/hwmon/hwmon1/name", "ina3221\n"},
    {"/sys/class/hwmon/hwmon1/in1_label", "VDD_IN\n"},
    {"/sys/class/hwmon/hwmon1/in1_input", "4960\n"},
    {"/sys/class/hwmon/hwmon1/curr1_input", "2500\n"},
    {"/sys/class/hwmon/hwmon1/in2_label", "VDD_CPU_GPU_CV\n"},
    {"/sys/class/hwmon/hwmon1/in2_input", "4960\n"},
    {"/sys/class/hwmon/hwmon1/curr2_input", "900\n"},
    {"/sys/class/hwmon/hwmon1/in7_label", "sum of shunt voltages\n"},
};

}  // namespace dofa::monitor::test
