// SPDX-License-Identifier: Apache-2.0
#include "models/tool/search_report.hpp"
#include "models/search/files.hpp"

#include <algorithm>
#include <cstdio>

#include "models/search/plot.hpp"
#include "proto/json_writer.hpp"

namespace dofa::tool {
namespace {

std::vector<search::Point> points_of(const std::vector<Level>& levels) {
  std::vector<search::Point> points;
  for (const Level& level : levels) points.push_back(level.point());
  return points;
}

template <class Numbers>
void add_list(json::Writer& writer, const char* name, const Numbers& numbers) {
  writer.key(name).begin_array();
  for (const auto number : numbers) writer.value(number);
  writer.end_array();
}

void add_levels(json::Writer& writer, const char* key, const std::vector<Level>& levels, bool latency) {
  writer.key(key).begin_array();
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const Level& level = levels[i];
    writer.begin_object()
        .member("name", "level-" + std::to_string(i))
        .member("r", level.candidate.resolution);
    add_list(writer, "ks", level.candidate.architecture.kernel_sizes);
    add_list(writer, "e", level.candidate.architecture.expand_ratios);
    add_list(writer, "d", level.candidate.architecture.depths);
    writer.member("macs", level.macs);
    if (latency) writer.member("table_us", level.cost);
    if (level.predicted_top1) writer.member("predicted_top1", *level.predicted_top1);
    if (level.measured)
      writer.member("us_min", level.measured->least_us).member("us_median", level.measured->median_us);
    if (level.accuracy) {
      writer.member("top1", level.accuracy->top1).member("top5", level.accuracy->top5);
      writer.member("images", level.accuracy->images).member("dataset", level.accuracy->dataset);
    }
    writer.end_object();
  }
  writer.end_array();
}

}  // namespace

search::Point SearchReport::reference() const {
  search::Point worst{0, 1};
  for (const auto* list : {&levels, &family}) {
    for (const search::Point& point : points_of(*list)) {
      worst.cost = std::max(worst.cost, 1.1 * point.cost);
      worst.accuracy = std::min(worst.accuracy, point.accuracy - 0.01);
    }
  }
  return worst;
}

std::string search_json(const SearchReport& report) {
  const bool latency = report.cost == "latency";
  const SearchOutcome& outcome = report.outcome;
  json::Writer writer;
  writer.begin_object().member("schema", 1).member("cost", report.cost);
  if (latency) writer.member("table", report.table);
  writer.member("evaluations", outcome.evaluations).member("seconds", outcome.seconds);
  writer.member("evaluations_per_s", static_cast<double>(outcome.evaluations) / outcome.seconds);
  writer.member("front_size", outcome.front.size());
  if (report.fit) {
    writer.key("predictor").begin_object().member("held_out", report.fit->held_out);
    writer.member("mean_error", report.fit->mean_error)
        .member("kendall_tau", report.fit->kendall_tau)
        .end_object();
  }
  add_levels(writer, "subnets", report.levels, latency);
  const search::Point reference = report.reference();
  writer.key("hypervolume").begin_object().key("reference").begin_object();
  writer.member(latency ? "us" : "macs", reference.cost).member("top1", reference.accuracy).end_object();
  writer.member("searched", search::hypervolume(points_of(report.levels), reference));
  if (!report.family.empty())
    writer.member("family", search::hypervolume(points_of(report.family), reference));
  writer.end_object();
  if (!report.family.empty()) add_levels(writer, "family", report.family, latency);
  if (!report.written.empty()) writer.member("folder", report.written);
  return writer.end_object().text();
}

std::string search_text(const SearchReport& report) {
  const bool latency = report.cost == "latency";
  std::string text;
  char line[200];
  for (std::size_t i = 0; i < report.levels.size(); ++i) {
    const Level& level = report.levels[i];
    std::snprintf(line, sizeof line, "level-%-3zu %4u pixels %8.1f M MACs", i, level.candidate.resolution,
                  level.macs * 1e-6);
    text += line;
    if (latency) {
      std::snprintf(line, sizeof line, "  %8.2f ms by the table", level.cost * 1e-3);
      text += line;
    }
    if (level.measured) {
      std::snprintf(line, sizeof line, "  %8.2f ms measured", level.measured->least_us * 1e-3);
      text += line;
    }
    if (level.predicted_top1) {
      std::snprintf(line, sizeof line, "  top-1 %.2f %% predicted", 100 * *level.predicted_top1);
      text += line;
    }
    if (level.accuracy) {
      std::snprintf(line, sizeof line, "  top-1 %.2f %% on %u of %s", 100 * level.accuracy->top1,
                    level.accuracy->images, level.accuracy->dataset.c_str());
      text += line;
    }
    text += "\n";
  }
  std::snprintf(line, sizeof line, "%llu sub-networks tried in %.1f s, %zu on the front\n",
                static_cast<unsigned long long>(report.outcome.evaluations), report.outcome.seconds,
                report.outcome.front.size());
  text += line;
  if (!report.family.empty()) {
    const search::Point reference = report.reference();
    std::snprintf(line, sizeof line, "hypervolume: found %.6g, the family's %.6g\n",
                  search::hypervolume(points_of(report.levels), reference),
                  search::hypervolume(points_of(report.family), reference));
    text += line;
  }
  if (!report.written.empty()) text += report.written + ": written\n";
  return text;
}

Result<void> write_plot(const SearchReport& report, const std::string& path) {
  const bool latency = report.cost == "latency";
  std::vector<search::Series> series;
  std::vector<search::Point> predicted;
  for (const Level& level : report.outcome.front)
    predicted.push_back({level.cost, level.predicted_top1.value_or(0)});
  series.push_back({"predicted front", "steelblue", predicted, true});
  series.push_back({"levels", "crimson", points_of(report.levels), false});
  if (!report.family.empty()) series.push_back({"family", "gray", points_of(report.family), false});
  return search::write_file(path, search::plot_svg(series, "Sub-networks",
                                                   latency ? "latency, ms" : "multiply-accumulates, millions",
                                                   latency ? 1e3 : 1e6));
}

}  // namespace dofa::tool
