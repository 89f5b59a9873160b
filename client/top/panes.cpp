// SPDX-License-Identifier: Apache-2.0
#include "client/top/panes.hpp"

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "client/ctl/contract_text.hpp"
#include "client/ctl/present.hpp"
#include "client/ctl/table.hpp"
#include "client/top/columns.hpp"

namespace dofa::top {

namespace {

constexpr std::int64_t kRecentUs = 10'000'000;
constexpr std::size_t kFewestRows = 3;  // of sessions, before details get any line
constexpr std::size_t kMostDetails = 14;

struct Reading {
  const char* title;
  std::size_t width;
  std::string (*text)(const client::Processor&);
};

const std::array<Reading, 8> kReadings{
    {{"LOAD", 6,
      [](const client::Processor& one) {
        return ctl::cell(one.load, [](double share) { return ctl::fixed(share * 100, 0) + " %"; });
      }},
     {"OTHERS", 6,
      [](const client::Processor& one) {
        return ctl::cell(one.others_load, [](double share) { return ctl::fixed(share * 100, 0) + " %"; });
      }},
     {"SLOWDOWN", 8,
      [](const client::Processor& one) {
        return ctl::cell(one.slowdown, [](double factor) { return ctl::fixed(factor, 2) + "x"; });
      }},
     {"TEMP", 7,
      [](const client::Processor& one) {
        return ctl::cell(one.temperature_celsius,
                         [](double celsius) { return ctl::fixed(celsius, 0) + " °C"; });
      }},
     {"QUEUE", 5, [](const client::Processor& one) { return ctl::cell(one.queue); }},
     {"LANES", 5, [](const client::Processor& one) { return ctl::cell(one.lanes); }},
     {"CLOCK", 8,
      [](const client::Processor& one) {
        return ctl::cell(one.frequency_mhz, [](double mhz) { return ctl::fixed(mhz, 0) + " MHz"; });
      }},
     {"POWER", 7, [](const client::Processor& one) {
        return ctl::cell(one.power_watts, [](double watts) { return ctl::fixed(watts, 1) + " W"; });
      }}}};

Style cell_style(const Row& row, Field field) {
  const auto& contract = row.info.contract;
  if (field == Field::kLatency && contract.latency_budget_us) {
    const auto latency = row.latency_us();
    if (latency && *latency > *contract.latency_budget_us) return Style::kBad;
  }
  if (field == Field::kInTime) {
    const auto recent = row.in_time(kRecentUs);
    if (!recent) return Style::kPlain;
    return *recent >= contract.percentile.value_or(0.95) ? Style::kGood : Style::kBad;
  }
  return Style::kPlain;
}

Line session_line(const Row& row, const std::vector<Column>& columns, bool selected, const Canvas& canvas) {
  Line line;
  for (const auto& column : columns) {
    const Style ground = selected ? Style::kSelected : Style::kPlain;
    if (!line.empty()) line.push_back({std::string(kColumnGap, ' '), ground});
    if (column.field == Field::kHistory) {
      for (auto& piece : sparkline(row.history, row.info.contract.latency_budget_us.value_or(0), column.width,
                                   canvas.ascii))
        line.push_back(std::move(piece));
      continue;
    }
    line.push_back({fitted(cell_text(row, column.field), column.width, column.right),
                    selected ? Style::kSelected : cell_style(row, column.field)});
  }
  return line;
}

Line sessions_header(const std::vector<Column>& columns, const Ui& ui) {
  std::string header;
  for (const auto& column : columns) {
    if (!header.empty()) header += std::string(kColumnGap, ' ');
    std::string title = column.title;
    if (column.field == sorted_field(ui.sort())) title += ui.reversed() ? "^" : "v";
    header += fitted(title, column.width, column.right);
  }
  return {{header, Style::kHeader}};
}

std::string quantiles(const std::optional<double>& p50, const std::optional<double>& p95,
                      const std::optional<double>& p99) {
  const auto ms = [](const std::optional<double>& us) { return us ? ctl::fixed(*us / 1e3, 1) : "-"; };
  return ms(p50) + " / " + ms(p95) + " / " + ms(p99) + " ms";
}

/// A label and words in as many lines as `width` makes of them, broken between words, the later ones
/// indented.
void add_wrapped(std::vector<Line>& lines, const Piece& label, const std::string& words, std::size_t width) {
  const std::size_t indent = ctl::width_of(label.text);
  Line line{label, {""}};
  std::size_t used = indent;
  std::istringstream stream(words);
  for (std::string word; stream >> word;) {
    const std::size_t more = ctl::width_of(word) + (line.back().text.empty() ? 0 : 1);
    if (used + more > width && !line.back().text.empty())
      lines.push_back(std::exchange(line, Line{{std::string(indent, ' ')}, {""}}));
    if (!line.back().text.empty()) line.back().text += ' ';
    line.back().text += word;
    used = indent + ctl::width_of(line.back().text);
  }
  lines.push_back(std::move(line));
}

/// About the selected session, the most telling first.
std::vector<Line> details_of(const Row& row, std::size_t width) {
  const auto& info = row.info;
  const auto& statistics = info.statistics;
  std::vector<Line> lines;
  const auto add = [&](const char* label, const std::string& words) {
    add_wrapped(lines, {label, Style::kFaint}, words, width);
  };
  lines.push_back({{ctl::printable(info.application), Style::kStrong},
                   {"  session " + info.id + " of " + info.owner + ", " + ctl::printable(info.family) + ": " +
                    ctl::printable(info.subnet) + " on " + info.processor}});
  const auto contract = ctl::to_text(info.contract);
  add("contract  ", contract.empty() ? "none" : ctl::printable(contract));
  std::string frames = std::to_string(info.frames) + ", " + std::to_string(info.missed_deadlines) +
                       " missed, " + std::to_string(info.dropped) + " of them dropped";
  if (const auto recent = row.in_time(kRecentUs))
    frames += "; last 10 s " + ctl::percent(*recent) + " in time";
  add("frames    ", frames);
  if (statistics.service_us_p95)
    add("p50/95/99 ",
        "waiting " + quantiles(statistics.queue_us_p50, statistics.queue_us_p95, statistics.queue_us_p99) +
            ", service " +
            quantiles(statistics.service_us_p50, statistics.service_us_p95, statistics.service_us_p99));
  if (statistics.switches) {
    std::string switches = std::to_string(*statistics.switches);
    if (statistics.switches_last_minute)
      switches += ", " + std::to_string(*statistics.switches_last_minute) + " in the last minute";
    if (statistics.mean_accuracy) switches += "; mean top-1 " + ctl::percent(*statistics.mean_accuracy);
    add("switches  ", switches);
  }
  for (const auto& note : row.notes)
    add_wrapped(lines, {note.clock + "  ", Style::kFaint}, ctl::printable(note.words), width);
  return lines;
}

}  // namespace

std::string fitted(const std::string& text, std::size_t width, bool right) {
  const std::string kept = ctl::cut(text, width);
  const std::string padding(width - ctl::width_of(kept), ' ');
  return right ? padding + kept : kept + padding;
}

void draw_processors(std::vector<Line>& lines, const Model& model, const Canvas& canvas) {
  const auto& processors = model.service().processors;
  std::size_t name_width = 9;
  for (const auto& one : processors)
    name_width = std::max(name_width, std::min<std::size_t>(ctl::width_of(one.name), 16));
  // Only what somebody knows, as far as it fits beside a bar that can be read.
  constexpr std::size_t kNarrowestBar = 10, kWidestBar = 40;
  std::vector<Reading> shown;
  std::size_t taken = name_width + 1 + kNarrowestBar;
  for (const auto& reading : kReadings) {
    const bool known =
        std::ranges::any_of(processors, [&](const auto& one) { return !reading.text(one).empty(); });
    if (!known || taken + 1 + reading.width > canvas.width) continue;
    taken += 1 + reading.width;
    shown.push_back(reading);
  }
  const std::size_t bar =
      std::min(kNarrowestBar + (canvas.width > taken ? canvas.width - taken : 0), kWidestBar);
  std::string header = fitted("PROCESSOR", name_width, false) + " " + std::string(bar, ' ');
  for (const auto& reading : shown) header += " " + fitted(reading.title, reading.width, true);
  lines.push_back({{header, Style::kHeader}});
  for (const auto& one : processors) {
    Line line{{fitted(ctl::printable(one.name), name_width, false) + " ", Style::kStrong}};
    for (auto& piece : load_bar(one.load.value_or(0), one.others_load.value_or(0), bar, canvas.ascii))
      line.push_back(std::move(piece));
    for (const auto& reading : shown) {
      Style style = Style::kPlain;
      if (std::string_view(reading.title) == "SLOWDOWN" && one.slowdown.value_or(1) >= 1.5)
        style = Style::kWarning;
      line.push_back({" " + fitted(reading.text(one), reading.width, true), style});
    }
    lines.push_back(std::move(line));
  }
}

void draw_sessions(std::vector<Line>& lines, const Model& model, const Ui& ui, const Canvas& canvas,
                   std::size_t room) {
  const auto& rows = model.rows();
  if (room < 2) return;
  const auto columns = columns_for(canvas.width, rows);
  lines.push_back(sessions_header(columns, ui));
  --room;
  if (rows.empty()) {
    lines.push_back({{model.known() ? "no application has a session" : "", Style::kFaint}});
    return;
  }
  const auto order = ui.order(model);
  const std::size_t selected = ui.selected(model);
  std::size_t for_rows = room;
  std::vector<Line> details;
  if (ui.details()) {
    const std::size_t needed = std::min(rows.size(), std::max(kFewestRows, room / 2));
    details = details_of(rows[order[selected]], canvas.width);
    const std::size_t for_details = room > needed + 1 ? std::min(room - needed - 1, kMostDetails) : 0;
    details.resize(std::min(details.size(), for_details));
    if (!details.empty()) for_rows = room - details.size() - 1;
  }
  const std::size_t shown = std::min(for_rows, order.size());
  // The selected row stays in sight.
  const std::size_t first = selected < shown ? 0 : selected - shown + 1;
  for (std::size_t i = first; i < first + shown; ++i)
    lines.push_back(session_line(rows[order[i]], columns, i == selected, canvas));
  if (details.empty()) return;
  lines.push_back({});
  for (auto& line : details) lines.push_back(std::move(line));
}

}  // namespace dofa::top
