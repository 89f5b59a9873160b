// SPDX-License-Identifier: Apache-2.0
// Axes, words, and the processors' panels.
#include "client/recording/panel.hpp"

#include <algorithm>
#include <cmath>

#include "client/recording/svg.hpp"

namespace dofa::recording {

namespace {

constexpr double kLoadHeight = 110;
constexpr double kSlowdownHeight = 70;
constexpr double kBelowAxis = 24;  // the time's labels

using Read = std::optional<double> (*)(const client::Processor&);

/// Points of one reading; a gap in the readings is a gap in the line. Empty where there are none.
std::string path_of(const std::vector<Sample>& samples, Read read, const TimeAxis& time, double bottom,
                    double height, double highest) {
  std::string path;
  bool pen_down = false;
  for (const auto& sample : samples) {
    const auto value = read(sample.processor);
    if (!value) {
      pen_down = false;
      continue;
    }
    path += formatted("%c%.1f %.1f", pen_down ? 'L' : 'M', time.x(sample.t_us),
                      bottom - height * std::clamp(*value / highest, 0.0, 1.0));
    pen_down = true;
  }
  return path;
}

/// The same as an area down to the axis.
std::string area_of(const std::vector<Sample>& samples, Read read, const TimeAxis& time, double bottom,
                    double height) {
  std::string path;
  for (std::size_t i = 0; i + 1 < samples.size(); ++i) {
    const auto from = read(samples[i].processor), to = read(samples[i + 1].processor);
    if (!from || !to) continue;
    const double x1 = time.x(samples[i].t_us), x2 = time.x(samples[i + 1].t_us);
    path += formatted("M%.1f %.1fL%.1f %.1fL%.1f %.1fV%.1fH%.1fZ", x1,
                      bottom - height * std::clamp(*from, 0.0, 1.0), x2,
                      bottom - height * std::clamp(*to, 0.0, 1.0), x2, bottom, bottom, x1);
  }
  return path;
}

void legend(std::string& svg, double y, const char* colour, bool area, const char* words) {
  const double x = kPlotLeft + kPlotWidth + 14;
  if (area) {
    svg += formatted("<rect x='%.1f' y='%.1f' width='14' height='9' fill='%s'/>\n", x, y - 8, colour);
  } else {
    svg += line_at(x, y - 4, x + 14, y - 4, colour, 2);
  }
  svg += text_at(x + 20, y, words);
}

std::optional<double> load_of(const client::Processor& processor) {
  return processor.load;
}
std::optional<double> others_of(const client::Processor& processor) {
  return processor.others_load;
}
std::optional<double> slowdown_of(const client::Processor& processor) {
  return processor.slowdown;
}

/// What of `wanted` is not so in `contract`.
client::Contract difference(client::Contract wanted, const client::Contract& contract) {
  const auto leave_out = [](auto& value, const auto& same) {
    if (value == same) value.reset();
  };
  leave_out(wanted.latency_budget_us, contract.latency_budget_us);
  leave_out(wanted.min_accuracy, contract.min_accuracy);
  leave_out(wanted.period_us, contract.period_us);
  leave_out(wanted.objective, contract.objective);
  leave_out(wanted.percentile, contract.percentile);
  leave_out(wanted.priority, contract.priority);
  leave_out(wanted.when_late, contract.when_late);
  leave_out(wanted.level, contract.level);
  leave_out(wanted.processor, contract.processor);
  return wanted;
}

/// One digit after the point at most, none where it would be a zero: "30", "33.3".
std::string short_number(double value) {
  const std::string text = formatted("%.1f", value);
  return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
}

}  // namespace

std::string words_of(const client::Contract& contract) {
  std::string words;
  const auto add = [&](const std::string& more) { words += (words.empty() ? "" : ", ") + more; };
  if (contract.latency_budget_us)
    add(short_number(static_cast<double>(*contract.latency_budget_us) / 1e3) + " ms");
  if (contract.period_us && *contract.period_us > 0)
    add(short_number(1e6 / static_cast<double>(*contract.period_us)) + " frames/s");
  if (contract.min_accuracy.value_or(0) > 0)
    add("top-1 of " + short_number(*contract.min_accuracy * 100) + " % at least");
  // The service states its defaults too (org.dofa.Dofa1.Session.xml); nobody wants to read them.
  if (contract.percentile.value_or(0.95) != 0.95)
    add(short_number(*contract.percentile * 100) + " % in time");
  if (contract.objective.value_or("accuracy") != "accuracy") add("least " + *contract.objective);
  if (contract.priority.value_or(1) != 1) add("priority " + std::to_string(*contract.priority));
  if (contract.when_late.value_or("deliver") != "deliver") add("late frames dropped");
  if (contract.level) add("fixed at level " + std::to_string(*contract.level));
  if (contract.processor) add("on " + *contract.processor);
  return words;
}

std::string words_of(const Mark& mark, const Session& session) {
  if (mark.kind == Mark::Kind::kSwitch)
    return mark.change.from + " to " + mark.change.to + " on " + mark.change.processor + ": " + mark.reason;
  client::Contract contract;
  for (const auto& step : session.contracts) {
    if (step.t_us <= mark.t_us) contract = step.contract;
  }
  const auto nearest = words_of(difference(mark.nearest, contract));
  return "contract cannot be kept: " + mark.reason + (nearest.empty() ? "" : "; nearest: " + nearest);
}

void draw_axes(std::string& svg, const TimeAxis& time, double y, double height,
               const std::vector<double>& values, double highest, const char* unit) {
  svg += formatted("<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f' fill='#fafafa'/>\n", kPlotLeft, y,
                   kPlotWidth, height);
  const double step = values.size() > 1 ? values[1] - values[0] : 1;
  for (const double value : values) {
    const double at = y + height * (1 - value / highest);
    svg += line_at(kPlotLeft, at, kPlotLeft + kPlotWidth, at, value == 0 ? "#999" : "#e3e3e3");
    svg += text_at(kPlotLeft - 6, at + 4, tick_label(value, step) + unit,
                   {.colour = "#666", .anchor = "end", .size = 11});
  }
  const auto seconds = ticks(time.seconds, 10);
  const double second_step = seconds.size() > 1 ? seconds[1] : 1;
  for (const double second : seconds) {
    const double x = kPlotLeft + kPlotWidth * second / time.seconds;
    svg += line_at(x, y + height, x, y + height + 4, "#999");
    svg += text_at(x, y + height + 16, tick_label(second, second_step) + " s",
                   {.colour = "#666", .anchor = "middle", .size = 11});
  }
}

double draw_processor(std::string& svg, const std::string& name, const std::vector<Sample>& samples,
                      const TimeAxis& time, double y) {
  const double start = y;
  const auto any = [&](Read read) {
    return std::ranges::any_of(samples,
                               [&](const Sample& sample) { return read(sample.processor).has_value(); });
  };
  if (any(load_of)) {
    svg += text_at(kPlotLeft, y + 12, name + ": load", {.size = 13, .bold = true});
    y += 22;
    draw_axes(svg, time, y, kLoadHeight, {0, 50, 100}, 100, " %");
    const double bottom = y + kLoadHeight;
    svg += "<path d='" + area_of(samples, others_of, time, bottom, kLoadHeight) + "' fill='#f3bd85'/>\n";
    svg += "<path d='" + path_of(samples, load_of, time, bottom, kLoadHeight, 1) +
           "' fill='none' stroke='#1f4e79' stroke-width='1.6'/>\n";
    legend(svg, y + 12, "#1f4e79", false, "everything");
    if (any(others_of)) legend(svg, y + 30, "#f3bd85", true, "other programs");
    y += kLoadHeight + kBelowAxis;
  }
  if (any(slowdown_of)) {
    double highest = 2;
    for (const auto& sample : samples)
      highest = std::max(highest, std::ceil(sample.processor.slowdown.value_or(0)));
    svg += text_at(kPlotLeft, y + 12, name + ": slowdown", {.size = 13, .bold = true});
    y += 22;
    draw_axes(svg, time, y, kSlowdownHeight, ticks(highest, 3), highest, "");
    const double one = y + kSlowdownHeight * (1 - 1 / highest);
    svg += formatted("<path d='M%.1f %.1fH%.1f' stroke='#999' stroke-dasharray='3 3'/>\n", kPlotLeft, one,
                     kPlotLeft + kPlotWidth);
    svg += "<path d='" + path_of(samples, slowdown_of, time, y + kSlowdownHeight, kSlowdownHeight, highest) +
           "' fill='none' stroke='#7a3e9d' stroke-width='1.6'/>\n";
    legend(svg, y + 12, "#7a3e9d", false, "measured / profiled");
    y += kSlowdownHeight + kBelowAxis;
  }
  return y == start ? 0 : y - start + 14;
}

}  // namespace dofa::recording
