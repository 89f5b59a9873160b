// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/kernel_probe.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>

namespace dofa::monitor {
namespace {

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

std::int64_t growth(std::uint64_t before, std::uint64_t after) {
  return after > before ? static_cast<std::int64_t>(std::min<std::uint64_t>(after - before, INT64_MAX)) : 0;
}

// `/a/b` → `/a/b`, `/a`, ``: the group and all above it.
std::vector<std::string> with_ancestors(std::string path) {
  std::vector<std::string> all;
  while (!path.empty() && path != "/") {
    all.push_back(path);
    path.erase(path.rfind('/'));
  }
  all.emplace_back();
  return all;
}

}  // namespace

std::optional<Pressure> PressureProbe::sample(std::int64_t now_us) {
  std::array<char, 512> buffer{};
  const auto text = file_.read(buffer);
  const auto totals = text ? parse_pressure(*text) : std::nullopt;
  std::optional<Pressure> pressure;
  if (totals && last_) {
    pressure = {now_us - last_us_, growth(last_->some_us, totals->some_us),
                growth(last_->full_us, totals->full_us), totals->some_avg10};
  }
  last_ = totals;
  last_us_ = now_us;
  return pressure;
}

std::optional<Memory> MemoryProbe::sample(TextBuffer& buffer) {
  const auto text = file_.read(buffer);
  return text ? parse_meminfo(*text) : std::nullopt;
}

CgroupProbe::CgroupProbe(const std::string& root) : root_(root) {
  rescan();
}

void CgroupProbe::rescan() {
  const std::string text = read_text(root_ + "/proc/self/cgroup").value_or("") + "\n";
  if (text == self_cgroup_) return;
  self_cgroup_ = text;
  stat_.reset();
  usage_ns_.reset();
  quotas_.clear();
  last_.reset();
  const CgroupPaths paths = parse_self_cgroup(text);
  const std::string mount = root_ + "/sys/fs/cgroup";
  if (paths.cpu) {  // where v1 holds the cpu controller, v2 has no quota
    use_legacy(paths);
  } else if (paths.unified) {
    use_unified(exists(mount + "/unified/cgroup.procs") ? mount + "/unified" : mount, *paths.unified);
  }
}

void CgroupProbe::use_unified(const std::string& mount, const std::string& path) {
  // A container may see its group mounted as the root while /proc/self/cgroup names the path outside.
  const std::string group = exists(mount + path + "/cpu.stat") ? path : "";
  stat_.emplace(mount + group + "/cpu.stat");
  for (const std::string& level : with_ancestors(group)) {
    quotas_.push_back({SysFile(mount + level + "/cpu.max"), std::nullopt});
  }
}

void CgroupProbe::use_legacy(const CgroupPaths& paths) {
  const auto directory = [&](const std::string& hierarchy, const std::string& alias,
                             const std::string& path) {
    std::string mount = root_ + "/sys/fs/cgroup/" + hierarchy;
    if (!exists(mount)) mount = root_ + "/sys/fs/cgroup/" + alias;
    return std::pair(mount, exists(mount + path) ? path : std::string());
  };
  const auto [mount, group] = directory(paths.cpu_hierarchy, "cpu", *paths.cpu);
  stat_.emplace(mount + group + "/cpu.stat");
  for (const std::string& level : with_ancestors(group)) {
    quotas_.push_back(
        {SysFile(mount + level + "/cpu.cfs_quota_us"), SysFile(mount + level + "/cpu.cfs_period_us")});
  }
  if (!paths.cpuacct) return;
  const auto [usage_mount, usage_group] = directory(paths.cpuacct_hierarchy, "cpuacct", *paths.cpuacct);
  usage_ns_.emplace(usage_mount + usage_group + "/cpuacct.usage");
}

std::optional<CgroupProbe::Counters> CgroupProbe::read_counters() {
  Counters counters;
  std::array<char, 1024> buffer{};
  if (stat_) {
    if (const auto text = stat_->read(buffer)) {
      const CgroupCpuStat stat = parse_cgroup_cpu_stat(*text);
      counters = {stat.usage_us, stat.throttled_us};
    }
  }
  if (usage_ns_) {
    if (const auto usage_ns = usage_ns_->read_integer(); usage_ns && *usage_ns >= 0) {
      counters.usage_us = static_cast<std::uint64_t>(*usage_ns) / 1000;
    }
  }
  if (!counters.usage_us && !counters.throttled_us) return std::nullopt;
  return counters;
}

std::optional<double> CgroupProbe::smallest_quota() {
  std::optional<double> smallest;
  for (QuotaFiles& files : quotas_) {
    std::optional<double> cores;
    if (files.period) {
      const auto quota = files.quota.read_integer();
      const auto period = files.period->read_integer();
      if (quota && period) cores = quota_cores(*quota, *period);
    } else {
      std::array<char, 128> buffer{};
      if (const auto text = files.quota.read(buffer)) cores = parse_cpu_max(*text);
    }
    if (cores && (!smallest || *cores < *smallest)) smallest = cores;
  }
  return smallest;
}

std::optional<Cgroup> CgroupProbe::sample(std::int64_t now_us) {
  const auto counters = read_counters();
  std::optional<Cgroup> group;
  if (counters) {
    group.emplace();
    group->window_us = now_us - last_us_;
    group->quota_cores = smallest_quota();
    if (last_ && last_->usage_us && counters->usage_us && group->window_us > 0) {
      group->used_cores = static_cast<double>(growth(*last_->usage_us, *counters->usage_us)) /
                          static_cast<double>(group->window_us);
    }
    if (last_ && last_->throttled_us && counters->throttled_us) {
      group->throttled_us = growth(*last_->throttled_us, *counters->throttled_us);
    }
  }
  last_ = counters;
  last_us_ = now_us;
  return group;
}

}  // namespace dofa::monitor
