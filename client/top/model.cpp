// SPDX-License-Identifier: Apache-2.0
#include "client/top/model.hpp"

#include <algorithm>

#include "client/recording/summary.hpp"

namespace dofa::top {

namespace {

Interval interval_of(std::int64_t begin_us, std::int64_t end_us,
                     const std::vector<client::FrameRecord>& frames) {
  using Outcome = client::FrameRecord::Outcome;
  Interval interval{.begin_us = begin_us, .end_us = end_us};
  std::vector<std::uint64_t> latencies;
  for (const auto& frame : frames) {
    ++interval.frames;
    interval.missed += frame.outcome == Outcome::kInTime ? 0 : 1;
    if (frame.outcome != Outcome::kDropped) latencies.push_back(frame.queue_us + frame.service_us);
  }
  std::ranges::sort(latencies);
  if (!latencies.empty()) interval.latency_us = recording::quantile(latencies, 0.95);
  return interval;
}

/// Calls `visit` for the intervals that end within `span_us` of the last.
template <class Visit>
void for_recent(const std::deque<Interval>& history, std::int64_t span_us, Visit visit) {
  if (history.empty()) return;
  const std::int64_t since = history.back().end_us - span_us;
  for (const auto& interval : history) {
    if (interval.end_us > since) visit(interval);
  }
}

}  // namespace

std::optional<std::uint64_t> Row::latency_us() const {
  const auto latest = std::find_if(history.rbegin(), history.rend(),
                                   [](const Interval& one) { return one.latency_us.has_value(); });
  return latest == history.rend() ? std::nullopt : latest->latency_us;
}

double Row::frames_per_s(std::int64_t span_us) const {
  std::uint64_t frames = 0;
  std::int64_t passed_us = 0;
  for_recent(history, span_us, [&](const Interval& one) {
    frames += one.frames;
    passed_us += one.end_us - one.begin_us;
  });
  return passed_us <= 0 ? 0 : static_cast<double>(frames) * 1e6 / static_cast<double>(passed_us);
}

std::optional<double> Row::in_time(std::int64_t span_us) const {
  std::uint64_t frames = 0, missed = 0;
  for_recent(history, span_us, [&](const Interval& one) {
    frames += one.frames;
    missed += one.missed;
  });
  if (frames == 0) return std::nullopt;
  return static_cast<double>(frames - missed) / static_cast<double>(frames);
}

void Model::take(Snapshot snapshot) {
  if (!trouble_.empty()) rows_.clear();  // the service was away: what has come back is not what was there
  trouble_.clear();
  std::vector<Row> rows;
  for (auto& session : snapshot.sessions) {
    Row row;
    const auto before = std::ranges::find(rows_, session.id, [](const Row& one) { return one.info.id; });
    const bool seen = before != rows_.end();
    if (seen) row = std::move(*before);
    const auto levels = snapshot.family_levels.find(session.family);
    row.levels = levels == snapshot.family_levels.end() ? 0 : levels->second;
    row.info = std::move(session);
    const auto frames = snapshot.frames.find(row.info.id);
    // The first look finds frames of any age: they say nothing of a rate.
    if (seen && frames != snapshot.frames.end())
      row.history.push_back(interval_of(time_us_, snapshot.time_us, frames->second));
    while (row.history.size() > kHistory) row.history.pop_front();
    rows.push_back(std::move(row));
  }
  rows_ = std::move(rows);
  service_ = std::move(snapshot.service);
  families_ = snapshot.family_levels.size();
  time_us_ = snapshot.time_us;
  known_ = true;
}

void Model::lose(const std::string& why) {
  trouble_ = why;
}

void Model::note(const std::string& session, Note note) {
  const auto row = std::ranges::find(rows_, session, [](const Row& one) { return one.info.id; });
  if (row == rows_.end()) return;
  row->notes.push_front(std::move(note));
  while (row->notes.size() > kNotes) row->notes.pop_back();
}

}  // namespace dofa::top
