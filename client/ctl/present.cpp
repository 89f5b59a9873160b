// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/present.hpp"

#include <array>
#include <cmath>
#include <cstdio>

namespace dofa::ctl {

std::string fixed(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string percent(double share) {
  return std::isnan(share) ? "" : fixed(share * 100, 1) + " %";
}

std::string milliseconds(std::uint64_t microseconds) {
  return fixed(static_cast<double>(microseconds) / 1000, 2) + " ms";
}

std::string bytes(std::uint64_t count) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(count);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fixed(value, unit == 0 ? 0 : 1) + " " + kUnits[unit];
}

Table processors_table(const std::vector<client::Processor>& processors) {
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"PROCESSOR"},
               {"LANES", kRight},
               {"QUEUE", kRight},
               {"LOAD", kRight},
               {"OTHERS", kRight},
               {"SLOWDOWN", kRight},
               {"CLOCK", kRight},
               {"TEMPERATURE", kRight},
               {"POWER", kRight},
               {"KERNELS"}});
  for (const auto& one : processors) {
    table.add(
        {one.name, cell(one.lanes), cell(one.queue), cell(one.load, percent), cell(one.others_load, percent),
         cell(one.slowdown, [](double slowdown) { return fixed(slowdown, 2); }),
         cell(one.frequency_mhz, [](double mhz) { return fixed(mhz, 0) + " MHz"; }),
         cell(one.temperature_celsius, [](double celsius) { return fixed(celsius, 1) + " °C"; }),
         cell(one.power_watts, [](double watts) { return fixed(watts, 1) + " W"; }),
         one.lost ? "lost: " + printable(*one.lost) : printable(one.simd.value_or(one.model.value_or("")))});
  }
  return table;
}

void write_json(json::Writer& writer, const std::vector<client::Processor>& processors) {
  writer.begin_array();
  for (const auto& one : processors) {
    writer.begin_object().member("name", one.name);
    optional_member(writer, "lanes", one.lanes);
    optional_member(writer, "queue", one.queue);
    optional_member(writer, "load", one.load);
    optional_member(writer, "others_load", one.others_load);
    optional_member(writer, "slowdown", one.slowdown);
    optional_member(writer, "frequency_mhz", one.frequency_mhz);
    optional_member(writer, "temperature_celsius", one.temperature_celsius);
    optional_member(writer, "power_watts", one.power_watts);
    optional_member(writer, "simd", one.simd);
    optional_member(writer, "model", one.model);
    optional_member(writer, "lost", one.lost);
    writer.end_object();
  }
  writer.end_array();
}

namespace {

void write_json(json::Writer& writer, const client::Subnet& subnet) {
  writer.begin_object()
      .member("name", subnet.name)
      .member("level", subnet.level)
      .member("resolution", subnet.resolution)
      .member("executor", subnet.executor);
  optional_member(writer, "macs", subnet.macs);
  optional_member(writer, "top1", subnet.top1);
  optional_member(writer, "top5", subnet.top5);
  optional_member(writer, "dataset", subnet.dataset);
  optional_member(writer, "images", subnet.images);
  writer.key("profiles").begin_object();
  for (const auto& [processor, profile] : subnet.profiles) {
    writer.key(processor)
        .begin_object()
        .member("latency_us", profile.latency_us)
        .member("provisional", profile.provisional)
        .end_object();
  }
  writer.end_object().end_object();
}

}  // namespace

void write_json(json::Writer& writer, const std::vector<client::Subnet>& subnets) {
  writer.begin_array();
  for (const auto& subnet : subnets) write_json(writer, subnet);
  writer.end_array();
}

void write_json(json::Writer& writer, const client::Family& family, bool labels) {
  writer.begin_object()
      .member("name", family.name)
      .member("kind", family.kind)
      .member("task", family.task)
      .member("levels", family.subnets.size())
      .member("classes", family.labels.size())
      .member("resident_bytes", family.resident_bytes);
  writer.key("subnets");
  write_json(writer, family.subnets);
  if (labels) {
    writer.key("labels").begin_array();
    for (const auto& label : family.labels) writer.value(label);
    writer.end_array();
  }
  writer.end_object();
}

}  // namespace dofa::ctl
