// SPDX-License-Identifier: Apache-2.0
#include "client/recording/plot.hpp"

#include <algorithm>
#include <ctime>

#include "client/recording/panel.hpp"
#include "client/recording/summary.hpp"
#include "client/recording/svg.hpp"

namespace dofa::recording {

namespace {

constexpr double kMargin = 28;

const std::vector<Level>& levels_of(const Recording& recording, const Session& session) {
  static const std::vector<Level> none;
  const auto found = recording.families.find(session.family);
  return found == recording.families.end() ? none : found->second;
}

std::string local_time(std::int64_t time_us) {
  const std::time_t seconds = time_us / 1'000'000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  char text[40];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
  return text;
}

std::string subtitle(const Recording& recording) {
  return local_time(recording.time_us) + ", " +
         formatted("%.1f s", static_cast<double>(recording.duration_us) / 1e6) + ", dofad " +
         recording.service_version;
}

std::string title(const Recording& recording) {
  std::string names;
  for (const auto& session : recording.sessions) {
    if (names.find(session.application) != names.npos) continue;
    names += (names.empty() ? "" : ", ") + session.application;
  }
  return names.empty() ? "dofad, no sessions" : "dofad serving " + names;
}

std::string cell(const std::string& words) {
  return "<td>" + escaped(words) + "</td>";
}
std::string wide_cell(const std::string& words) {
  return "<td class='w'>" + escaped(words) + "</td>";
}
std::string number_cell(const std::string& words) {
  return "<td class='n'>" + escaped(words) + "</td>";
}
std::string ms(std::uint64_t us) {
  return formatted("%.2f", static_cast<double>(us) / 1e3);
}

std::string sessions_table(const Recording& recording) {
  std::string html =
      "<h2>Sessions</h2><table><tr><th>session</th><th>application</th><th>family</th><th>contract</"
      "th><th>frames</th>"
      "<th>in time</th><th>late</th><th>dropped</th><th>not seen</th><th>mean top-1</th><th>median "
      "ms</th><th>p95 ms</th>"
      "<th>p99 ms</th><th>switches</th><th>frames by level</th></tr>\n";
  for (const auto& session : recording.sessions) {
    const auto& levels = levels_of(recording, session);
    const auto summary = summarize(session, levels);
    std::string by_level;
    for (const auto& [level, count] : summary.frames_by_level)
      by_level += (by_level.empty() ? "" : ", ") +
                  (level < levels.size() ? levels[level].name : std::to_string(level)) + " " +
                  std::to_string(count);
    html += "<tr>" + cell(session.id) + cell(session.application) + cell(session.family) +
            wide_cell(session.contracts.empty() ? "" : words_of(session.contracts.back().contract)) +
            number_cell(std::to_string(summary.frames)) +
            number_cell(summary.attainment ? formatted("%.2f %%", *summary.attainment * 100) : "") +
            number_cell(std::to_string(summary.late)) + number_cell(std::to_string(summary.dropped)) +
            number_cell(std::to_string(session.lost)) +
            number_cell(summary.mean_accuracy ? formatted("%.1f %%", *summary.mean_accuracy * 100) : "") +
            number_cell(ms(summary.latency_us_p50)) + number_cell(ms(summary.latency_us_p95)) +
            number_cell(ms(summary.latency_us_p99)) + number_cell(std::to_string(summary.switches)) +
            wide_cell(by_level) + "</tr>\n";
  }
  return html + "</table>\n";
}

std::string events_table(const Recording& recording) {
  struct Row {
    std::int64_t t_us;
    std::string html;
  };
  std::vector<Row> rows;
  for (const auto& session : recording.sessions) {
    for (std::size_t i = 0; i < session.marks.size(); ++i) {
      const auto& mark = session.marks[i];
      rows.push_back({mark.t_us, number_cell(formatted("%.2f s", static_cast<double>(mark.t_us) / 1e6)) +
                                     cell(session.application + " (" + session.id + ")") +
                                     number_cell(std::to_string(i + 1)) + cell(words_of(mark, session))});
    }
  }
  if (rows.empty()) return "";
  std::ranges::stable_sort(rows, {}, &Row::t_us);
  std::string html =
      "<h2>Switches and unmet "
      "contracts</h2><table><tr><th>time</th><th>session</th><th>mark</th><th>what</th></tr>\n";
  for (const auto& row : rows) html += "<tr>" + row.html + "</tr>\n";
  return html + "</table>\n";
}

}  // namespace

std::string plot_svg(const Recording& recording) {
  const TimeAxis time{.seconds = std::max(static_cast<double>(recording.duration_us) / 1e6, 0.1)};
  std::string body =
      text_at(kPlotLeft, kMargin + 10, title(recording), {.colour = "#111", .size = 20, .bold = true}) +
      text_at(kPlotLeft, kMargin + 30, subtitle(recording), {.colour = "#555"});
  double y = kMargin + 58;
  for (const auto& session : recording.sessions)
    y += draw_session(body, session, levels_of(recording, session), time, recording.duration_us, y);
  for (const auto& [name, samples] : recording.processors) y += draw_processor(body, name, samples, time, y);
  return formatted(
             "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' width='%.0f' height='%.0f' "
             "font-family='system-ui, \"DejaVu Sans\", Helvetica, Arial, sans-serif'>\n"
             "<rect width='100%%' height='100%%' fill='white'/>\n",
             kPageWidth, y + 8, kPageWidth, y + 8) +
         body + "</svg>\n";
}

std::string plot_html(const Recording& recording) {
  return "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>" + escaped(title(recording)) +
         "</title>\n<meta name='viewport' content='width=device-width'>\n<style>\n"
         "body{font:14px system-ui,'DejaVu "
         "Sans',Helvetica,Arial,sans-serif;color:#222;background:#fff;max-width:1240px;margin:1em "
         "auto;padding:0 1em}\n"
         "svg{width:100%;height:auto}\nh2{font-size:1.1em;margin:1.6em 0 .5em}\n"
         "table{border-collapse:collapse;font-size:12px;display:block;overflow-x:auto}\n"
         "th,td{padding:.3em .4em;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}\n"
         "th{background:#f4f4f4;font-weight:600;white-space:nowrap}\n.w{min-width:10em}\n.n{text-align:right;"
         "white-space:nowrap;font-variant-numeric:tabular-nums}\n"
         "</style></head><body>\n" +
         plot_svg(recording) + sessions_table(recording) + events_table(recording) + "</body></html>\n";
}

}  // namespace dofa::recording
