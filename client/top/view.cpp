// SPDX-License-Identifier: Apache-2.0
#include "client/top/view.hpp"

#include <algorithm>
#include <array>

#include "client/ctl/present.hpp"
#include "client/ctl/table.hpp"
#include "client/top/panes.hpp"

namespace dofa::top {

namespace {

constexpr std::chrono::seconds kOverdue(2);  // an answer that takes as long is missed

/// For terminals without UTF-8: other characters as '?', the degree sign as a blank.
std::string ascii_only(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) plain += text[i];
    if (byte >= 0xC0) plain += std::string_view(text).substr(i).starts_with("°") ? ' ' : '?';
  }
  return plain;
}

/// Cut to `width`, and filled up with blanks of `style` where it is shorter.
Line squared(Line line, std::size_t width, Style style = Style::kPlain) {
  std::size_t left = width;
  for (auto& piece : line) {
    piece.text = ctl::cut(piece.text, left);
    left -= ctl::width_of(piece.text);
  }
  if (left > 0) line.push_back({std::string(left, ' '), style});
  return line;
}

Line title_line(const Model& model, const Canvas& canvas) {
  std::string text = " dofactl top";
  if (model.known()) {
    const auto& service = model.service();
    text = " dofad " + ctl::printable(service.version) + "  " + ctl::printable(service.state) +
           "  families: " + std::to_string(model.families()) +
           "  sessions: " + std::to_string(model.rows().size());
  }
  const std::string clock = canvas.clock + " ";
  const std::size_t room = canvas.width > clock.size() ? canvas.width - clock.size() : 0;
  return squared({{fitted(text, room, false), Style::kTitle}, {clock, Style::kTitle}}, canvas.width,
                 Style::kTitle);
}

void draw_help(std::vector<Line>& lines) {
  constexpr std::array<std::pair<const char*, const char*>, 11> kKeys{
      {{"Up Down k j", "select a session (also PgUp, PgDn, Home, End)"},
       {"s", "sort by: session, application, latency against budget,"},
       {"", "share in time, frames a second"},
       {"r", "turn the order round"},
       {"b", "change the selected session's latency budget"},
       {"a", "change its lowest accuracy"},
       {"p", "change its priority"},
       {"e", "change any contract keys: KEY=VALUE..., KEY= for the default"},
       {"d Enter", "show or hide what is known of the selected session"},
       {"h ?", "this help; any key leaves it"},
       {"q", "quit"}}};
  lines.push_back({});
  for (const auto& [keys, words] : kKeys)
    lines.push_back({{fitted(keys, 13, false), Style::kStrong}, {words}});
  lines.push_back({});
  lines.push_back(
      {{"LATENCY: 95 % of the frames of the last interval were faster. HISTORY: the same", Style::kFaint}});
  lines.push_back(
      {{"over time, full height at 4/3 of the budget. IN TIME: since the session opened,", Style::kFaint}});
  lines.push_back({{"coloured by the last 10 s.", Style::kFaint}});
}

Line bottom_line(const Model& model, const Ui& ui, const Canvas& canvas, std::optional<std::size_t>& cursor) {
  if (const auto& prompt = ui.prompt(); prompt && ui.message().empty()) {
    const std::string label = ctl::printable(label_of(*prompt));
    // The end of what is typed stays in sight.
    const std::size_t room =
        canvas.width > ctl::width_of(label) + 2 ? canvas.width - ctl::width_of(label) - 1 : 1;
    const std::string text =
        prompt->text.size() > room ? prompt->text.substr(prompt->text.size() - room) : prompt->text;
    cursor = std::min(ctl::width_of(label) + text.size(), canvas.width - 1);
    return {{label, Style::kStrong}, {text, Style::kPlain}};
  }
  if (!ui.message().empty())
    return {{ctl::printable(ui.message()), ui.message_is_error() ? Style::kBad : Style::kGood}};
  if (!model.trouble().empty()) return {{"trying again: " + ctl::printable(model.trouble()), Style::kBad}};
  if (model.waiting() >= kOverdue)
    return {{"no answer for " + std::to_string(model.waiting().count()) + " s", Style::kBad}};
  return {{"h", Style::kStrong}, {" help  "},     {"q", Style::kStrong}, {" quit  "},
          {"s", Style::kStrong}, {" sort  "},     {"b", Style::kStrong}, {" budget  "},
          {"a", Style::kStrong}, {" accuracy  "}, {"p", Style::kStrong}, {" priority  "},
          {"e", Style::kStrong}, {" contract  "}, {"d", Style::kStrong}, {" details"}};
}

}  // namespace

Screen draw(const Model& model, const Ui& ui, const Canvas& canvas) {
  Screen screen;
  auto& lines = screen.lines;
  lines.push_back(title_line(model, canvas));
  if (ui.help()) {
    draw_help(lines);
  } else {
    if (model.known()) {
      draw_processors(lines, model, canvas);
      lines.push_back({});
    }
    const std::size_t used = lines.size() + 1;  // the last line
    draw_sessions(lines, model, ui, canvas, canvas.height > used ? canvas.height - used : 0);
  }
  if (canvas.height > 0) lines.resize(canvas.height - 1);
  lines.push_back(bottom_line(model, ui, canvas, screen.cursor));
  for (auto& line : lines) {
    const bool header = !line.empty() && line.back().style == Style::kHeader;
    const bool selected = !line.empty() && line.front().style == Style::kSelected;
    line = squared(std::move(line), canvas.width,
                   header     ? Style::kHeader
                   : selected ? Style::kSelected
                              : Style::kPlain);
    if (!canvas.ascii) continue;
    for (auto& piece : line) piece.text = ascii_only(piece.text);
  }
  return screen;
}

}  // namespace dofa::top
