// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/proc_parse.hpp"

#include <string>

#include "daemon/monitor/sys_parse.hpp"
#include "daemon/monitor/text.hpp"
#include "tests/support/catch.hpp"

using namespace dofa::monitor;

TEST_CASE("/proc/stat gives busy, idle and stolen ticks, core by core") {
  const auto stat = parse_proc_stat(
      "cpu  100 20 30 400 50 6 7 8 90 10\n"
      "cpu0 60 10 20 200 25 3 4 4 45 5\n"
      "cpu2 40 10 10 200 25 3 3 4 45 5\n"
      "intr 1 2 3\nctxt 9\nbtime 1\nprocesses 5\nprocs_running 3\nprocs_blocked 1\n");
  REQUIRE(stat);
  CHECK(stat->total.busy == 100 + 20 + 30 + 6 + 7);  // guest time (90) is part of user time already
  CHECK(stat->total.idle == 400 + 50);
  CHECK(stat->total.steal == 8);
  CHECK(stat->online_count == 2);
  REQUIRE(stat->cores.size() == 3);
  CHECK(stat->cores[0].online);
  CHECK_FALSE(stat->cores[1].online);
  CHECK(stat->cores[2].ticks.busy == 40 + 10 + 10 + 3 + 3);
  CHECK(stat->runnable == 3U);
}

TEST_CASE("/proc/stat of an old kernel, a huge machine and a cut file") {
  SECTION("four columns are enough") {
    const auto stat = parse_proc_stat("cpu  1 2 3 4\n");
    REQUIRE(stat);
    CHECK(stat->total.busy == 6);
    CHECK_FALSE(stat->runnable);
  }
  SECTION("cores beyond those kept one by one still count") {
    std::string text = "cpu  1 1 1 1\n";
    for (int core = 0; core < 300; ++core) text += "cpu" + std::to_string(core) + " 1 1 1 1\n";
    const auto stat = parse_proc_stat(text);
    REQUIRE(stat);
    CHECK(stat->online_count == 300);
    CHECK(stat->cores.size() == kMaxCores);
  }
  SECTION("a line without its end does not count") {
    const auto stat = parse_proc_stat("cpu  1 2 3 4\ncpu0 1 2 3 4\ncpu1 1 2 3");
    REQUIRE(stat);
    CHECK(stat->cores.size() == 1);
    CHECK_FALSE(parse_proc_stat("cpu  1 2 3 4"));
  }
  SECTION("garbage") {
    for (const char* text :
         {"", "\n", "cpu\n", "cpu  1 2 3\n", "cpu  1 2 x 4\n", "cpu  1 2 3 99999999999999999999\n",
          "cpu  -1 2 3 4\n", "cpufreq 1 2 3 4\n", "cpu0 1 2 3 4\n"}) {
      INFO(text);
      CHECK_FALSE(parse_proc_stat(text));
    }
  }
}

TEST_CASE("a process's ticks are found behind any command name") {
  const std::string tail = " S 1 1 1 0 -1 4194560 100 200 0 0 123 45 6 7 20 0 1 0 100 1000 10\n";
  CHECK(parse_process_ticks("42 (dofad)" + tail) == 168U);
  CHECK(parse_process_ticks("42 (a b) c) (d)" + tail) == 168U);
  CHECK_FALSE(parse_process_ticks("42 (dofad) S 1 1 1 0 -1 4194560 100 200 0 0 123 45"));  // 45 may be cut
  CHECK_FALSE(parse_process_ticks("42 (dofad) S 1 1"));
  CHECK_FALSE(parse_process_ticks("42 dofad S"));
  CHECK_FALSE(parse_process_ticks(""));
}

TEST_CASE("schedstat tells running from waiting") {
  const auto stat = parse_schedstat("123456789 65539000 42\n");
  REQUIRE(stat);
  CHECK(stat->run_ns == 123456789U);
  CHECK(stat->wait_ns == 65539000U);
  CHECK_FALSE(parse_schedstat("123456789 655"));
  CHECK_FALSE(parse_schedstat("x y z\n"));
  CHECK_FALSE(parse_schedstat(""));
}

TEST_CASE("pressure: exact totals, with and without the full line") {
  const auto both = parse_pressure(
      "some avg10=1.25 avg60=0.30 avg300=0.37 total=4739239\n"
      "full avg10=0.00 avg60=0.00 avg300=0.00 total=77\n");
  REQUIRE(both);
  CHECK(both->some_us == 4739239U);
  CHECK(both->full_us == 77U);
  CHECK(both->some_avg10 == Approx(1.25));
  const auto some = parse_pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n");
  REQUIRE(some);
  CHECK(some->full_us == 0U);
  CHECK_FALSE(parse_pressure("some avg10=0.00 avg60=0.00 avg300=0.00 tot"));
  CHECK_FALSE(parse_pressure("some avg10=0.00\n"));
  CHECK_FALSE(parse_pressure("full avg10=0.00 avg60=0.00 avg300=0.00 total=5\n"));
  CHECK_FALSE(parse_pressure("Operation not supported\n"));
}

TEST_CASE("meminfo: available memory, also of kernels that do not print it") {
  const auto modern = parse_meminfo(
      "MemTotal:       32000000 kB\nMemFree:  100 kB\nMemAvailable:   20000000 kB\nSwapTotal: 50 "
      "kB\nSwapFree: 40 kB\n");
  REQUIRE(modern);
  CHECK(modern->total_kb == 32000000);
  CHECK(modern->available_kb == 20000000);
  CHECK(modern->swap_total_kb == 50);
  CHECK(modern->swap_free_kb == 40);
  const auto old =
      parse_meminfo("MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 20 kB\nCached: 3 kB\nSwapCached: 9 kB\n");
  REQUIRE(old);
  CHECK(old->available_kb == 123);
  CHECK_FALSE(parse_meminfo("MemTotal: 1000 kB\nMemFree: 100 kB\n"));
  CHECK_FALSE(parse_meminfo("MemTotal: 1000 kB\nMemAvailable: 10"));
  CHECK_FALSE(parse_meminfo("MemTotal: -5 kB\nMemAvailable: 10 kB\n"));
  CHECK_FALSE(parse_meminfo("MemTotal: 5 MB\nMemAvailable: 10 kB\n"));
}

TEST_CASE("core lists, as sysfs and /proc print them") {
  const auto cores = parse_cpu_list("0-2,5\n");
  REQUIRE(cores);
  CHECK(cores->count() == 4);
  CHECK(cores->test(5));
  CHECK_FALSE(cores->test(3));
  CHECK(parse_cpu_list("0 1 4\n")->count() == 3);
  CHECK(parse_cpu_list("7")->test(7));
  CHECK(parse_cpu_list("250-4000000000")->count() == kMaxCores - 250);
  for (const char* text : {"", "\n", "a", "3-1", "1-", "1,,2", "-1", "1;2", "300"}) {
    INFO(text);
    CHECK_FALSE(parse_cpu_list(text));
  }
  CHECK(parse_allowed_cores("Name:\tx\nCpus_allowed:\tf\nCpus_allowed_list:\t0,3\nMems_allowed: 1\n")
            ->count() == 2);
  CHECK_FALSE(parse_allowed_cores("Name:\tx\n"));
}

TEST_CASE("control groups: where we are, in the three layouts of systemd") {
  const CgroupPaths unified = parse_self_cgroup("0::/system.slice/dofad.service\n");
  CHECK(unified.unified == "/system.slice/dofad.service");
  CHECK_FALSE(unified.cpu);
  const CgroupPaths hybrid = parse_self_cgroup(
      "12:cpuset:/\n4:cpu,cpuacct:/system.slice/dofad.service\n1:name=systemd:/system.slice\n0::/"
      "system.slice\n");
  CHECK(hybrid.cpu == "/system.slice/dofad.service");
  CHECK(hybrid.cpu_hierarchy == "cpu,cpuacct");
  CHECK(hybrid.cpuacct == "/system.slice/dofad.service");
  CHECK(hybrid.unified == "/system.slice");
  const CgroupPaths outside = parse_self_cgroup("0::/../../other\n2:cpu:relative\nnonsense\n3:cpu/..:/a\n");
  CHECK_FALSE(outside.unified);
  CHECK_FALSE(outside.cpu);
}

TEST_CASE("control groups: time used, time held back, quota") {
  const CgroupCpuStat v2 = parse_cgroup_cpu_stat(
      "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 3\nnr_throttled 1\nthrottled_usec 250\n");
  CHECK(v2.usage_us == 1500U);
  CHECK(v2.throttled_us == 250U);
  const CgroupCpuStat v1 = parse_cgroup_cpu_stat("nr_periods 3\nnr_throttled 1\nthrottled_time 250000\n");
  CHECK_FALSE(v1.usage_us);
  CHECK(v1.throttled_us == 250U);
  const CgroupCpuStat cut = parse_cgroup_cpu_stat("usage_usec 15");
  CHECK_FALSE(cut.usage_us);

  CHECK(parse_cpu_max("150000 100000\n") == Approx(1.5).margin(0));
  CHECK_FALSE(parse_cpu_max("max 100000\n"));
  CHECK_FALSE(parse_cpu_max("100000\n"));
  CHECK_FALSE(parse_cpu_max("100000 0\n"));
  CHECK_FALSE(quota_cores(-1, 100000));  // v1 for "unlimited"
  CHECK(quota_cores(50000, 100000) == Approx(0.5).margin(0));
}

TEST_CASE("numbers that are none") {
  for (const char* text : {"", "-", "+1", "0x10", "1 2", "inf", "nan", "99999999999999999999", "1.5"}) {
    INFO(text);
    CHECK_FALSE(parse_integer(text));
  }
  CHECK(parse_integer(" -42\n") == -42);
  for (const char* text : {"inf", "nan", "-inf", "-", ".5", "e5"}) {
    INFO(text);
    CHECK_FALSE(Scanner(text).decimal());
  }
  CHECK(Scanner("1e5").decimal() == 1.0);  // no exponents: the rest is left for who comes next
}
