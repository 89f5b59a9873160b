// SPDX-License-Identifier: Apache-2.0
// A session's panel: latency of every frame by level, the contract, what changed and why.
#include <algorithm>
#include <cmath>
#include <map>

#include "client/recording/panel.hpp"
#include "client/recording/summary.hpp"
#include "client/recording/svg.hpp"

namespace dofa::recording {

namespace {

constexpr double kHeight = 220;
constexpr double kTitles = 46;
constexpr double kMarkRow = 16;            // above the plot, for the marks' numbers
constexpr std::size_t kReasonsShown = 16;  // a picture has an end; the page lists all
constexpr double kReasonHeight = 16;
constexpr std::size_t kReasonLetters = 150;  // as many as the page is wide
constexpr const char* kBudgetColour = "#b3261e";

/// At most `most` bytes, never within a letter.
std::string cut(const std::string& words, std::size_t most) {
  if (words.size() <= most) return words;
  std::size_t end = most - 1;
  while (end > 0 && (static_cast<unsigned char>(words[end]) & 0xC0) == 0x80) --end;
  return words.substr(0, end) + "…";
}

std::uint64_t largest_budget_us(const Session& session) {
  std::uint64_t budget = 0;
  for (const auto& step : session.contracts)
    budget = std::max(budget, step.contract.latency_budget_us.value_or(0));
  return budget;
}

/// ms at the top edge: room above the budget and above nearly every frame; a queue that ran away does not
/// flatten the rest.
double highest_ms(const Session& session) {
  std::vector<std::uint64_t> latencies;
  for (const auto& frame : session.frames) {
    if (frame.answered()) latencies.push_back(frame.latency_us());
  }
  std::ranges::sort(latencies);
  const auto budget = static_cast<double>(largest_budget_us(session));
  double highest = std::max(1.5 * budget, 1.1 * static_cast<double>(quantile(latencies, 0.995)));
  if (budget > 0) highest = std::min(highest, 4 * budget);
  return std::max(highest / 1e3, 0.1);
}

/// A dot a frame, one path a level: short even for an hour's frames.
void draw_frames(std::string& svg, const Session& session, std::size_t levels, const TimeAxis& time, double y,
                 double highest) {
  std::map<std::uint32_t, std::string> dots;
  std::string off_scale, dropped;
  for (const auto& frame : session.frames) {
    const double x = time.x(frame.t_us);
    if (!frame.answered()) {
      dropped += formatted("M%.1f %.1fl5 5m0 -5l-5 5", x - 2.5, y + 3);
      continue;
    }
    const double ms = static_cast<double>(frame.latency_us()) / 1e3;
    if (ms > highest) {
      off_scale += formatted("M%.1f %.1fl3 -5l3 5z", x - 3, y + 6);
      continue;
    }
    dots[frame.level] += formatted("M%.1f %.1fh0", x, y + kHeight * (1 - ms / highest));
  }
  for (const auto& [level, path] : dots)
    svg += "<path d='" + path + "' stroke='" + level_colour(level, levels) +
           "' stroke-width='4' stroke-linecap='round' fill='none'/>\n";
  if (!off_scale.empty())
    svg += "<path d='" + off_scale + "' fill='#555'><title>slower than the scale</title></path>\n";
  if (!dropped.empty())
    svg += "<path d='" + dropped + "' stroke='" + kBudgetColour +
           "' stroke-width='1.3'><title>dropped</title></path>\n";
}

void draw_contract(std::string& svg, const Session& session, const TimeAxis& time, std::int64_t end_us,
                   double y, double highest) {
  std::string path;
  double label_y = 0;
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < session.contracts.size(); ++i) {
    const auto budget = session.contracts[i].contract.latency_budget_us;
    if (!budget) continue;
    const auto until = i + 1 < session.contracts.size() ? session.contracts[i + 1].t_us : end_us;
    label_y = y + kHeight * (1 - std::min(static_cast<double>(*budget) / 1e3 / highest, 1.0));
    last = *budget;
    path += formatted("M%.1f %.1fH%.1f", time.x(session.contracts[i].t_us), label_y, time.x(until));
  }
  if (path.empty()) return;
  svg += "<path d='" + path + "' stroke='" + kBudgetColour +
         "' stroke-width='1.6' stroke-dasharray='7 4' fill='none'/>\n";
  svg +=
      text_at(kPlotLeft + kPlotWidth + 6, label_y + 4, words_of(client::Contract{.latency_budget_us = last}),
              {.colour = kBudgetColour, .bold = true});
}

void draw_marks(std::string& svg, const Session& session, const TimeAxis& time, double y) {
  double free_from = 0;
  for (std::size_t i = 0; i < session.marks.size(); ++i) {
    const auto& mark = session.marks[i];
    const double x = time.x(mark.t_us);
    const char* colour = mark.kind == Mark::Kind::kSwitch ? "#777" : kBudgetColour;
    svg +=
        formatted("<path d='M%.1f %.1fV%.1f' stroke='%s' stroke-width='0.8' stroke-dasharray='2 2'><title>",
                  x, y - 3, y + kHeight, colour) +
        escaped(words_of(mark, session)) + "</title></path>\n";
    if (x < free_from) continue;  // its number would lie on the one before
    const std::string number = std::to_string(i + 1);
    svg += text_at(x, y - 6, number, {.colour = colour, .anchor = "middle", .size = 10.5, .bold = true});
    free_from = x + 5 + 6 * static_cast<double>(number.size());
  }
}

void draw_legend(std::string& svg, const Summary& summary, const std::vector<Level>& levels, double y) {
  const double x = kPlotLeft + kPlotWidth + 14;
  double at = y + kHeight - 6;
  std::uint64_t answered = 0;
  for (const auto& [level, count] : summary.frames_by_level) answered += count;
  for (const auto& [level, count] : summary.frames_by_level) {  // the fastest at the bottom, like its frames
    const std::string name = level < levels.size() ? levels[level].name : "level " + std::to_string(level);
    svg += formatted("<circle cx='%.1f' cy='%.1f' r='4.5' fill='%s'/>\n", x + 4, at - 4,
                     level_colour(level, std::max<std::size_t>(levels.size(), level + 1)).c_str());
    // What would run out of the page is cut; the page's table has the names in full.
    svg += text_at(x + 14, at,
                   cut(name, 15) + formatted(" %.0f %%", 100.0 * static_cast<double>(count) /
                                                             static_cast<double>(answered)),
                   {.size = 11.5});
    at -= 16;
    if (at < y + 30) break;
  }
}

double draw_reasons(std::string& svg, const Session& session, double y) {
  const double start = y;
  const std::size_t shown = std::min(session.marks.size(), kReasonsShown);
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& mark = session.marks[i];
    const char* colour = mark.kind == Mark::Kind::kSwitch ? "#333" : kBudgetColour;
    svg += text_at(kPlotLeft + 18, y + 11, std::to_string(i + 1),
                   {.colour = "#777", .anchor = "end", .size = 11, .bold = true});
    svg += text_at(kPlotLeft + 72, y + 11, formatted("%.2f s", static_cast<double>(mark.t_us) / 1e6),
                   {.colour = "#777", .anchor = "end", .size = 11});
    svg += text_at(kPlotLeft + 82, y + 11, cut(words_of(mark, session), kReasonLetters),
                   {.colour = colour, .size = 11.5});
    y += kReasonHeight;
  }
  if (shown < session.marks.size()) {
    svg += text_at(kPlotLeft + 82, y + 11, "and " + std::to_string(session.marks.size() - shown) + " more",
                   {.colour = "#777", .size = 11.5});
    y += kReasonHeight;
  }
  return y - start;
}

std::string outcome_words(const Session& session, const Summary& summary) {
  std::string words = session.family + ", " + std::to_string(summary.frames) + " frames";
  if (summary.attainment) words += formatted(", %.1f %% in time", *summary.attainment * 100);
  if (summary.late > 0) words += ", " + std::to_string(summary.late) + " late";
  if (summary.dropped > 0) words += ", " + std::to_string(summary.dropped) + " dropped";
  if (summary.mean_accuracy) words += formatted(", mean top-1 %.1f %%", *summary.mean_accuracy * 100);
  if (summary.frames > summary.dropped)
    words += formatted(", median %.1f ms, p99 %.1f ms", static_cast<double>(summary.latency_us_p50) / 1e3,
                       static_cast<double>(summary.latency_us_p99) / 1e3);
  return words;
}

}  // namespace

double draw_session(std::string& svg, const Session& session, const std::vector<Level>& levels,
                    const TimeAxis& time, std::int64_t end_us, double y) {
  const double start = y;
  const auto summary = summarize(session, levels);
  const auto wanted = session.contracts.empty() ? "" : words_of(session.contracts.back().contract);
  svg +=
      text_at(kPlotLeft, y + 14,
              session.application + " (session " + session.id + ")" + (wanted.empty() ? "" : ": " + wanted),
              {.size = 15, .bold = true});
  svg += text_at(kPlotLeft, y + 32, outcome_words(session, summary), {.colour = "#555"});
  y += kTitles + kMarkRow;
  const double highest = highest_ms(session);
  std::size_t level_count = levels.size();
  for (const auto& [level, count] : summary.frames_by_level)
    level_count = std::max<std::size_t>(level_count, level + 1);
  draw_axes(svg, time, y, kHeight, ticks(highest, 5), highest, " ms");
  draw_marks(svg, session, time, y);
  draw_frames(svg, session, level_count, time, y, highest);
  draw_contract(svg, session, time, std::min(session.closed_us.value_or(end_us), end_us), y, highest);
  draw_legend(svg, summary, levels, y);
  y += kHeight + 24;
  y += draw_reasons(svg, session, y);
  return y - start + 26;
}

}  // namespace dofa::recording
