// SPDX-License-Identifier: Apache-2.0
#include "daemon/monitor/proc_parse.hpp"

#include "daemon/monitor/sys_parse.hpp"
#include "daemon/monitor/text.hpp"

namespace dofa::monitor {
namespace {

// ` user nice system idle iowait irq softirq steal guest guest_nice`; guest is part of user. Old kernels end
// earlier.
std::optional<CpuTicks> parse_cpu_ticks(Scanner scan) {
  constexpr std::size_t kNeeded = 4;
  std::array<std::uint64_t, 8> field{};
  std::size_t count = 0;
  for (; count < field.size(); ++count) {
    scan.skip_blanks();
    if (scan.done()) break;
    const auto value = scan.unsigned_number();
    if (!value || !scan.at_word_end()) return std::nullopt;
    field[count] = *value;
  }
  if (count < kNeeded) return std::nullopt;
  const auto [user, nice, system, idle, iowait, irq, softirq, steal] = field;
  return CpuTicks{user + nice + system + irq + softirq, idle + iowait, steal};
}

// `key=value` pairs of one pressure line.
struct PressureLine {
  std::optional<double> avg10;
  std::optional<std::uint64_t> total_us;
};
PressureLine parse_pressure_line(Scanner scan) {
  PressureLine line;
  while (!scan.done()) {
    scan.skip_blanks();
    if (scan.eat("avg10=")) {
      line.avg10 = scan.decimal();
    } else if (scan.eat("total=")) {
      line.total_us = scan.unsigned_number();
    }
    (void)scan.word();
  }
  return line;
}

// `   123 kB`
std::optional<std::int64_t> parse_kilobytes(Scanner scan) {
  scan.skip_blanks();
  const auto value = scan.signed_number();
  scan.skip_blanks();
  return value && *value >= 0 && scan.rest() == "kB" ? value : std::nullopt;
}

bool lists(std::string_view controllers, std::string_view wanted) {
  Scanner scan(controllers);
  while (!scan.done()) {
    if (scan.take_while([](char c) { return c != ','; }) == wanted) return true;
    scan.skip(1);
  }
  return false;
}

}  // namespace

std::optional<ProcStat> parse_proc_stat(std::string_view text) {
  ProcStat stat;
  bool found = false;
  Scanner scan(text);
  while (const auto line = scan.full_line()) {
    Scanner words(*line);
    if (words.eat("procs_running ")) {
      const auto count = words.unsigned_number();
      if (count && words.done() && *count <= UINT32_MAX) stat.runnable = static_cast<std::uint32_t>(*count);
      break;  // nothing of use follows
    }
    if (!words.eat("cpu")) continue;
    const bool total = words.peek() == ' ';
    const auto index = words.unsigned_number();
    const auto ticks = parse_cpu_ticks(words);
    if (!ticks || (!total && !index)) continue;
    if (total) {
      stat.total = *ticks;
      found = true;
      continue;
    }
    ++stat.online_count;
    if (*index >= kMaxCores) continue;
    if (*index >= stat.cores.size()) stat.cores.resize(*index + 1);
    stat.cores[*index] = {true, *ticks};
  }
  return found ? std::optional(stat) : std::nullopt;
}

std::optional<std::uint64_t> parse_process_ticks(std::string_view text) {
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  Scanner scan(text.substr(name_end + 1));
  constexpr int kFieldsBetween = 11;  // state (3) to cmajflt (13); utime is field 14, man proc(5)
  for (int i = 0; i < kFieldsBetween; ++i) {
    scan.skip_blanks();
    (void)scan.word();
  }
  scan.skip_blanks();
  const auto user = scan.unsigned_number();
  scan.skip_blanks();
  const auto system = scan.unsigned_number();
  if (!user || !system || !is_blank(scan.peek())) return std::nullopt;  // a blank must follow: else cut off
  return *user + *system;
}

std::optional<SchedStat> parse_schedstat(std::string_view text) {
  Scanner scan(text);
  const auto run = scan.unsigned_number();
  scan.skip_blanks();
  const auto wait = scan.unsigned_number();
  if (!run || !wait || !is_blank(scan.peek())) return std::nullopt;
  return SchedStat{*run, *wait};
}

std::optional<PressureTotals> parse_pressure(std::string_view text) {
  PressureTotals totals;
  bool found = false;
  Scanner scan(text);
  while (const auto line = scan.full_line()) {
    Scanner words(*line);
    if (words.eat("some ")) {
      const PressureLine some = parse_pressure_line(words);
      if (!some.total_us) return std::nullopt;
      totals.some_us = *some.total_us;
      totals.some_avg10 = some.avg10.value_or(0);
      found = true;
    } else if (words.eat("full ")) {
      totals.full_us = parse_pressure_line(words).total_us.value_or(0);
    }
  }
  return found ? std::optional(totals) : std::nullopt;
}

std::optional<Memory> parse_meminfo(std::string_view text) {
  std::optional<std::int64_t> total, available, free, buffers, cached, swap_total, swap_free;
  Scanner scan(text);
  while (const auto line = scan.full_line()) {
    Scanner words(*line);
    const std::string_view key = words.take_while([](char c) { return c != ':'; });
    if (!words.eat(":")) continue;
    const auto kilobytes = parse_kilobytes(words);
    if (key == "MemTotal") total = kilobytes;
    if (key == "MemAvailable") available = kilobytes;
    if (key == "MemFree") free = kilobytes;
    if (key == "Buffers") buffers = kilobytes;
    if (key == "Cached") cached = kilobytes;
    if (key == "SwapTotal") swap_total = kilobytes;
    if (key == "SwapFree") swap_free = kilobytes;
  }
  constexpr std::int64_t kMost = INT64_MAX / 4;  // no machine has it, and sums stay in range
  if (!available && free && buffers && cached && *free < kMost && *buffers < kMost && *cached < kMost) {
    available = *free + *buffers + *cached;  // Linux before 3.14, and L4T kernels that lack the line
  }
  if (!total || !available) return std::nullopt;
  return Memory{*total, *available, swap_total.value_or(0), swap_free.value_or(0)};
}

std::optional<CoreSet> parse_allowed_cores(std::string_view status) {
  Scanner scan(status);
  while (const auto line = scan.full_line()) {
    Scanner words(*line);
    if (words.eat("Cpus_allowed_list:")) return parse_cpu_list(words.rest());
  }
  return std::nullopt;
}

CgroupPaths parse_self_cgroup(std::string_view text) {
  CgroupPaths paths;
  Scanner scan(text);
  while (const auto line = scan.full_line()) {
    Scanner fields(*line);
    const bool numbered = fields.unsigned_number().has_value();
    if (!numbered || !fields.eat(":")) continue;
    const std::string_view controllers = fields.take_while([](char c) { return c != ':'; });
    if (!fields.eat(":") || !fields.rest().starts_with('/')) continue;
    const std::string_view path = fields.rest();
    if (path.find("..") != std::string_view::npos || controllers.find("..") != std::string_view::npos ||
        controllers.find('/') != std::string_view::npos) {
      continue;
    }
    if (controllers.empty()) paths.unified = path;
    if (lists(controllers, "cpu")) {
      paths.cpu = path;
      paths.cpu_hierarchy = controllers;
    }
    if (lists(controllers, "cpuacct")) {
      paths.cpuacct = path;
      paths.cpuacct_hierarchy = controllers;
    }
  }
  return paths;
}

}  // namespace dofa::monitor
