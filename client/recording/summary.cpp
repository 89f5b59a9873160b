// SPDX-License-Identifier: Apache-2.0
#include "client/recording/summary.hpp"

#include <algorithm>
#include <cmath>

namespace dofa::recording {

std::uint64_t quantile(const std::vector<std::uint64_t>& sorted, double q) {
  if (sorted.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

Summary summarize(const Session& session, const std::vector<Level>& levels) {
  Summary summary;
  std::vector<std::uint64_t> latencies;
  double accuracy = 0;
  bool accuracy_known = true;
  for (const auto& frame : session.frames) {
    ++summary.frames;
    if (!frame.answered()) {
      ++summary.dropped;
      continue;
    }
    summary.late += frame.outcome == client::FrameRecord::Outcome::kLate ? 1 : 0;
    latencies.push_back(frame.latency_us());
    ++summary.frames_by_level[frame.level];
    const auto top1 = frame.level < levels.size() ? levels[frame.level].top1 : std::nullopt;
    accuracy_known = accuracy_known && top1.has_value();
    accuracy += top1.value_or(0);
  }
  for (const auto& mark : session.marks)
    ++(mark.kind == Mark::Kind::kSwitch ? summary.switches : summary.unmet);
  if (summary.frames > 0)
    summary.attainment = static_cast<double>(summary.frames - summary.late - summary.dropped) /
                         static_cast<double>(summary.frames);
  if (accuracy_known && !latencies.empty())
    summary.mean_accuracy = accuracy / static_cast<double>(latencies.size());
  std::ranges::sort(latencies);
  summary.latency_us_p50 = quantile(latencies, 0.5);
  summary.latency_us_p95 = quantile(latencies, 0.95);
  summary.latency_us_p99 = quantile(latencies, 0.99);
  return summary;
}

}  // namespace dofa::recording
