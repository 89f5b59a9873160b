// SPDX-License-Identifier: Apache-2.0
// The probes of the CPU and the kernel, each alone on a fake root, with numbers worked out by hand.
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/monitor/cpu_probe.hpp"
#include "daemon/monitor/kernel_probe.hpp"
#include "daemon/monitor/sysfile.hpp"
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
