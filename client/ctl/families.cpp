// SPDX-License-Identifier: Apache-2.0
// families and show.
#include "client/ctl/families.hpp"

#include <set>

#include "client/ctl/present.hpp"
#include "client/ctl/verbs.hpp"

namespace dofa::ctl {

namespace {

constexpr auto kRight = Table::Align::kRight;

/// "12" or "3 to 12" of what the levels have; "" where none has it.
template <class Get, class Format>
std::string range_of(const std::vector<client::Subnet>& subnets, Get get, Format format) {
  std::optional<double> low, high;
  for (const auto& subnet : subnets) {
    const std::optional<double> value = get(subnet);
    if (!value) continue;
    low = std::min(low.value_or(*value), *value);
    high = std::max(high.value_or(*value), *value);
  }
  if (!low) return "";
  const std::string first = format(*low), last = format(*high);
  return first == last ? first : first + " to " + last;
}

Table subnets_table(const client::Family& family) {
  std::set<std::string> processors;
  for (const auto& subnet : family.subnets)
    for (const auto& [processor, profile] : subnet.profiles) processors.insert(processor);

  std::vector<Table::Column> columns{{"LEVEL", kRight}, {"SUBNET", Table::Align::kLeft, true},
                                     {"INPUT", kRight}, {"MMACS", kRight},
                                     {"TOP-1", kRight}, {"TOP-5", kRight},
                                     {"EXECUTOR"}};
  for (const auto& processor : processors) columns.push_back({processor, kRight});
  Table table(std::move(columns));
  for (const auto& subnet : family.subnets) {
    std::vector<std::string> cells{
        std::to_string(subnet.level),
        subnet.name,
        std::to_string(subnet.resolution),
        cell(subnet.macs, [](std::uint64_t macs) { return fixed(static_cast<double>(macs) / 1e6, 1); }),
        cell(subnet.top1, percent),
        cell(subnet.top5, percent),
        subnet.executor};
    for (const auto& processor : processors) {
      const auto profile = subnet.profiles.find(processor);
      if (profile == subnet.profiles.end()) {
        cells.emplace_back();
      } else {
        cells.push_back((profile->second.provisional ? "~" : "") + milliseconds(profile->second.latency_us));
      }
    }
    table.add(std::move(cells));
  }
  return table;
}

}  // namespace

int run_families(const Context& context) {
  const auto families = context.connect().families();
  if (context.json) {
    json::Writer writer;
    writer.begin_object().member("schema", 1).key("families").begin_array();
    for (const auto& family : families) write_json(writer, family, false);
    print(writer.end_array().end_object());
    return kExitOk;
  }
  Table table(
      {{"NAME"}, {"KIND"}, {"LEVELS", kRight}, {"TOP-1", kRight}, {"INPUT", kRight}, {"MEMORY", kRight}});
  for (const auto& family : families) {
    table.add({family.name, family.kind, std::to_string(family.subnets.size()),
               range_of(
                   family.subnets, [](const client::Subnet& subnet) { return subnet.top1; }, percent),
               range_of(
                   family.subnets,
                   [](const client::Subnet& subnet) { return std::optional<double>(subnet.resolution); },
                   [](double side) { return fixed(side, 0); }),
               bytes(family.resident_bytes)});
  }
  print(table.render(context.style()));
  return kExitOk;
}

void print_family(const Context& context, const client::Family& family) {
  if (context.json) {
    json::Writer writer;
    writer.begin_object().member("schema", 1).key("family");
    write_json(writer, family, true);
    print(writer.end_object());
    return;
  }
  const auto table = subnets_table(family);
  print(printable(family.name + ": " + family.kind + ", " + family.task) +
        "; classes: " + std::to_string(family.labels.size()) + ", memory: " + bytes(family.resident_bytes) +
        "\n\n" + table.render(context.style()));
  if (!family.subnets.empty() && family.subnets.back().dataset) {
    const auto& top = family.subnets.back();
    print("\nAccuracy measured on " + printable(*top.dataset) +
          (top.images ? " (" + std::to_string(*top.images) + " images)" : "") + ".\n");
  }
}

int run_show(const Context& context) {
  print_family(context, context.connect().family(context.argument(0)));
  return kExitOk;
}

}  // namespace dofa::ctl
