// SPDX-License-Identifier: Apache-2.0
// On the machine that runs the tests: whose load is it? The bounds are generous, for the machine has other
// work; dofa-bench measures.
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sys/wait.h>
#include <algorithm>
#include <atomic>
#include <csignal>
#include <iostream>
#include <thread>
#include <vector>

#include "daemon/monitor/monitor.hpp"
#include "daemon/monitor/sampler.hpp"
#include "tests/support/catch.hpp"

using namespace dofa::monitor;

namespace {

Options quiet_options() {
  Options options;
  options.tegrastats_enabled = false;
  options.nvml_enabled = false;
  return options;
}

// Child processes that do nothing but burn their core.
class Hogs {
 public:
  explicit Hogs(int count) {
    for (int i = 0; i < count; ++i) {
      const pid_t pid = ::fork();
      if (pid == 0) {
        std::atomic<unsigned> spin{0};
        while (true) ++spin;
      }
      pids_.push_back(pid);
    }
  }
  ~Hogs() {
    for (const pid_t pid : pids_) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }
  Hogs(const Hogs&) = delete;
  Hogs& operator=(const Hogs&) = delete;

 private:
  std::vector<pid_t> pids_;
};

// Own threads that do the same.
class OwnWork {
 public:
  explicit OwnWork(int count) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this] {
        while (!stop_.load(std::memory_order_relaxed)) {
        }
      });
    }
  }
  ~OwnWork() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  OwnWork(const OwnWork&) = delete;
  OwnWork& operator=(const OwnWork&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

// Milliseconds until `seen` holds for a snapshot; -1 after `limit_ms`.
template <class Seen>
int wait_until(const Monitor& monitor, int limit_ms, Seen seen) {
  const std::int64_t start_us = monotonic_now_us();
  while (true) {
    const auto waited_ms = static_cast<int>((monotonic_now_us() - start_us) / 1000);
    if (seen(monitor.latest())) return waited_ms;
    if (waited_ms > limit_ms) return -1;
    ::poll(nullptr, 0, 5);
  }
}

constexpr int kLimitMs = 10'000;
constexpr double kQuietCores = 0.4;

// Where others load the machine anyway, less can be told: then the tests below ask for less, and say so.
bool alone(const Monitor& monitor) {
  const int waited_ms = wait_until(monitor, kLimitMs, [](const Snapshot& now) {
    return now.cpu.fresh() && now.cpu.value.others_cores < kQuietCores;
  });
  if (waited_ms < 0) std::cout << "others keep this machine busy: times and shares are not checked\n";
  return waited_ms >= 0;
}

}  // namespace

TEST_CASE("two hogs are seen as others' load, not as ours, and their end is seen, too") {
  Monitor monitor(quiet_options());
  REQUIRE(monitor.start());
  const bool quiet_before = alone(monitor);
  const double wanted = 0.75 * std::min(2.0, monitor.latest().cpu.value.cores);
  {
    const Hogs hogs(2);
    const int seen_ms = wait_until(monitor, kLimitMs,
                                   [&](const Snapshot& now) { return now.cpu.value.others_cores >= wanted; });
    REQUIRE(seen_ms >= 0);
    CHECK(monitor.latest().cpu.value.own_cores < kQuietCores);
    if (quiet_before) std::cout << "two hogs seen as others' load after " << seen_ms << " ms\n";
  }
  if (!quiet_before) return;
  const int gone_ms = wait_until(
      monitor, kLimitMs, [](const Snapshot& now) { return now.cpu.value.others_cores < kQuietCores; });
  std::cout << "their end seen after " << gone_ms << " ms\n";
  CHECK(gone_ms >= 0);
}

TEST_CASE("our own work is ours: it is not counted as others'") {
  Monitor monitor(quiet_options());
  REQUIRE(monitor.start());
  const bool quiet_before = alone(monitor);
  const OwnWork work(1);
  const int seen_ms = wait_until(monitor, kLimitMs, [&](const Snapshot& now) {
    const CpuUse& use = now.cpu.value;
    if (!quiet_before)
      return use.own_cores > 0.1 && use.others_cores <= use.busy_cores - use.own_cores + 1e-9;
    return use.own_cores > 0.75 && use.others_cores < kQuietCores;
  });
  const CpuUse use = monitor.latest().cpu.value;
  std::cout << "own work: busy " << use.busy_cores << ", own " << use.own_cores << ", others "
            << use.others_cores << '\n';
  CHECK(seen_ms >= 0);
}

TEST_CASE("a worker that must wait for its core shows in the run-queue wait") {
  Monitor monitor(quiet_options());
  REQUIRE(monitor.start());
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  std::atomic<int> tid{0};
  std::atomic<bool> stop{false};
  std::thread worker([&] {
    tid = static_cast<int>(::syscall(SYS_gettid));
    while (!stop.load(std::memory_order_relaxed)) {
    }
  });
  while (tid == 0) ::poll(nullptr, 0, 1);
  monitor.add_worker(tid);
  {
    const Hogs hogs(2 * cores);
    CHECK(wait_until(monitor, kLimitMs, [](const Snapshot& now) {
            return now.run_queue.fresh() && now.run_queue.value.wait_us > 1000;
          }) >= 0);
  }
  stop = true;
  worker.join();
}

TEST_CASE("an ordinary user sees the CPU and the memory, and what is forbidden is absent") {
  const bool root = ::geteuid() == 0;
  constexpr uid_t kNobody = 65534;
  if (root) REQUIRE(::seteuid(kNobody) == 0);
  Sampler sampler(quiet_options());
  const std::int64_t start_us = monotonic_now_us();
  for (int tick = 0; tick < 3; ++tick) sampler.sample(start_us + tick * 50'000);
  if (root) REQUIRE(::seteuid(0) == 0);
  const Snapshot seen = sampler.snapshot();
  CHECK(seen.cpu.fresh());
  CHECK(seen.memory.fresh());
  CHECK(seen.memory.value.available_kb > 0);
  CHECK(seen.memory.value.available_kb <= seen.memory.value.total_kb);
  CHECK(seen.cpu.value.cores >= 1);
}

TEST_CASE("watching costs at most one hundredth of a core") {
  Sampler sampler(quiet_options());
  const std::int64_t start_us = monotonic_now_us();
  constexpr int kTicks = 400;  // twenty seconds' worth
  for (int tick = 0; tick < kTicks; ++tick) sampler.sample(start_us + tick * 50'000);
  const SamplerCost cost = sampler.snapshot().cost;
  std::cout << "sampling: last tick " << cost.last_tick_us << " us, " << 100 * cost.cpu_fraction
            << " % of a core at 50 ms\n";
  CHECK(cost.cpu_fraction > 0);
  CHECK(cost.cpu_fraction < 0.01);
}
