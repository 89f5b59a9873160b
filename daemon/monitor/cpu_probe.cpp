// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/cpu_probe.hpp"

#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace dofa::monitor {
namespace {

std::uint64_t growth(std::uint64_t before, std::uint64_t after) {
  return after > before ? after - before : 0;
}

// Shares of one core's counted time, or of all cores' together.
struct Share {
  double busy = 0;
  double steal = 0;
};
Share share(const CpuTicks& before, const CpuTicks& after) {
  const auto busy = static_cast<double>(growth(before.busy, after.busy));
  const auto steal = static_cast<double>(growth(before.steal, after.steal));
  const double all = busy + steal + static_cast<double>(growth(before.idle, after.idle));
  return all > 0 ? Share{busy / all, steal / all} : Share{};
}

bool online(const ProcStat& stat, std::size_t core) {
  return core < stat.cores.size() && stat.cores[core].online;
}

}  // namespace

CpuUse cpu_use(const CpuMoment& before, const CpuMoment& after) {
  CpuUse use;
  use.window_us = std::max<std::int64_t>(after.time_us - before.time_us, 1);
  use.runnable = after.stat.runnable;
  use.cores = after.stat.online_count;
  std::uint32_t seen = 0;
  use.core_busy.resize(after.stat.cores.size());
  for (std::size_t core = 0; core < use.core_busy.size(); ++core) {
    use.core_busy[core] = -1;
    if (!online(after.stat, core)) continue;
    ++seen;
    if (!online(before.stat, core)) continue;  // came online meanwhile: unknown until next time
    const Share part = share(before.stat.cores[core].ticks, after.stat.cores[core].ticks);
    use.core_busy[core] = static_cast<float>(part.busy);
    use.busy_cores += part.busy;
    use.steal_cores += part.steal;
  }
  if (seen < after.stat.online_count || seen == 0) {  // more cores than we keep one by one, or none listed
    use.cores = std::max(after.stat.online_count, 1U);
    const Share part = share(before.stat.total, after.stat.total);
    use.busy_cores = part.busy * use.cores;
    use.steal_cores = part.steal * use.cores;
  }
  use.own_cores =
      static_cast<double>(growth(before.own_us, after.own_us)) / static_cast<double>(use.window_us);
  use.others_cores = std::max(0.0, use.busy_cores - use.own_cores);
  return use;
}

CpuProbe::CpuProbe(const std::string& root)
    : stat_(root + "/proc/stat"), self_stat_(root + "/proc/self/stat"), real_machine_(root.empty()) {}

std::optional<CpuUse> CpuProbe::sample(std::int64_t now_us, TextBuffer& buffer) {
  const auto text = stat_.read(buffer);
  const auto stat = text ? parse_proc_stat(*text) : std::nullopt;
  if (!stat) {
    known_ = 0;
    return std::nullopt;
  }
  const CpuMoment now{now_us, own_us(buffer), *stat};
  std::optional<CpuUse> use;
  if (known_ > 0) use = cpu_use(past_[0], now);
  if (known_ == past_.size()) past_[0] = past_[1];
  known_ = std::min(known_ + 1, past_.size());
  past_[known_ - 1] = now;
  return use;
}

std::uint64_t CpuProbe::own_us(TextBuffer& buffer) {
  if (real_machine_) {  // exact to the nanosecond, where /proc/self/stat counts ticks
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 +
           static_cast<std::uint64_t>(time.tv_nsec) / 1000;
  }
  const auto text = self_stat_.read(buffer);
  const auto ticks = text ? parse_process_ticks(*text) : std::nullopt;
  return ticks.value_or(0) * (1'000'000 / static_cast<std::uint64_t>(std::max(::sysconf(_SC_CLK_TCK), 1L)));
}

void RunQueueProbe::add(int tid) {
  const std::lock_guard lock(mutex_);
  const auto same = [&](const Worker& worker) { return worker.tid == tid; };
  if (std::any_of(workers_.begin(), workers_.end(), same)) return;
  const std::string path = root_ + "/proc/self/task/" + std::to_string(tid) + "/schedstat";
  workers_.push_back({tid, SysFile(path), std::nullopt});
}

void RunQueueProbe::remove(int tid) {
  const std::lock_guard lock(mutex_);
  std::erase_if(workers_, [&](const Worker& worker) { return worker.tid == tid; });
}

std::optional<RunQueueWait> RunQueueProbe::sample(std::int64_t now_us) {
  const std::lock_guard lock(mutex_);
  RunQueueWait sum;
  sum.window_us = now_us - last_us_;
  last_us_ = now_us;
  std::uint64_t wait_ns = 0;
  std::erase_if(workers_, [&](Worker& worker) {
    std::array<char, 128> buffer{};
    const auto text = worker.schedstat.read(buffer);
    const auto stat = text ? parse_schedstat(*text) : std::nullopt;
    if (!stat) return true;
    if (worker.wait_ns) {
      wait_ns += growth(*worker.wait_ns, stat->wait_ns);
      ++sum.threads;
    }
    worker.wait_ns = stat->wait_ns;
    return false;
  });
  if (sum.threads == 0) return std::nullopt;
  sum.wait_us = static_cast<std::int64_t>(wait_ns / 1000);
  return sum;
}

}  // namespace dofa::monitor
