// SPDX-License-Identifier: Apache-2.0
#include "client/top/columns.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "client/ctl/present.hpp"
#include "client/ctl/table.hpp"

namespace dofa::top {

namespace {

constexpr std::int64_t kRateSpanUs = 5'000'000;

struct Plan {
  Column column;
  std::size_t most;  ///< grows to this where there is room
  int importance;    ///< columns with less give way first
};

constexpr std::size_t kWidestHistory = 60;

const std::array<Plan, 12> kPlans{{{{Field::kId, "ID", 3, true}, 6, 100},
                                   {{Field::kApplication, "APPLICATION", 12}, 24, 99},
                                   {{Field::kFamily, "FAMILY", 10}, 20, 20},
                                   {{Field::kLevel, "LEVEL", 5, true}, 5, 90},
                                   {{Field::kSubnet, "SUBNET", 10}, 20, 25},
                                   {{Field::kProcessor, "ON", 6}, 6, 10},
                                   {{Field::kTop1, "TOP-1", 6, true}, 6, 60},
                                   {{Field::kLatency, "LATENCY", 8, true}, 8, 95},
                                   {{Field::kBudget, "BUDGET", 8, true}, 8, 80},
                                   {{Field::kHistory, "HISTORY", 8}, kWidestHistory, 50},
                                   {{Field::kInTime, "IN TIME", 8, true}, 8, 85},
                                   {{Field::kRate, "FPS", 6, true}, 6, 40}}};

std::size_t total(const std::vector<Plan>& plans) {
  std::size_t width = 0;
  for (const auto& plan : plans) width += plan.column.width + kColumnGap;
  return width == 0 ? 0 : width - kColumnGap;
}

std::string brief_milliseconds(std::uint64_t us) {
  const double ms = static_cast<double>(us) / 1e3;
  return ctl::fixed(ms, ms < 100 ? 1 : 0) + " ms";
}

/// Widens the column of `field` by at most what is left, up to what its cells need.
void widen(std::vector<Plan>& plans, Field field, std::size_t wanted, std::size_t& left) {
  for (auto& plan : plans) {
    if (plan.column.field != field) continue;
    const std::size_t target = std::min(plan.most, wanted);
    const std::size_t more = target > plan.column.width ? std::min(target - plan.column.width, left) : 0;
    plan.column.width += more;
    left -= more;
  }
}

}  // namespace

Field sorted_field(Sort sort) {
  switch (sort) {
    case Sort::kApplication:
      return Field::kApplication;
    case Sort::kLatency:
      return Field::kLatency;
    case Sort::kInTime:
      return Field::kInTime;
    case Sort::kRate:
      return Field::kRate;
    case Sort::kSession:
      break;
  }
  return Field::kId;
}

std::string cell_text(const Row& row, Field field) {
  const auto& info = row.info;
  switch (field) {
    case Field::kId:
      return info.id;
    case Field::kApplication:
      return ctl::printable(info.application);
    case Field::kFamily:
      return ctl::printable(info.family);
    case Field::kLevel:
      return std::to_string(info.level) + (row.levels > 0 ? "/" + std::to_string(row.levels - 1) : "");
    case Field::kSubnet:
      return ctl::printable(info.subnet);
    case Field::kProcessor:
      return ctl::printable(info.processor);
    case Field::kTop1:
      return ctl::percent(info.accuracy);
    case Field::kLatency: {
      const auto latency = row.latency_us();
      return latency ? brief_milliseconds(*latency) : "";
    }
    case Field::kBudget:
      return info.contract.latency_budget_us ? brief_milliseconds(*info.contract.latency_budget_us) : "";
    case Field::kInTime:
      return ctl::percent(info.attainment);
    case Field::kRate: {
      const double rate = row.frames_per_s(kRateSpanUs);
      return rate > 0 ? ctl::fixed(rate, 1) : "";
    }
    case Field::kHistory:
      break;
  }
  return "";
}

std::vector<Column> columns_for(std::size_t width, const std::vector<Row>& rows) {
  std::vector<Plan> plans(kPlans.begin(), kPlans.end());
  while (plans.size() > 1 && total(plans) > width)
    plans.erase(std::ranges::min_element(plans, {}, &Plan::importance));
  const std::size_t taken = total(plans);
  std::size_t left = width > taken ? width - taken : 0;
  const auto wanted = [&](Field field) {
    std::size_t widest = 0;
    for (const auto& row : rows) widest = std::max(widest, ctl::width_of(cell_text(row, field)));
    return widest;
  };
  for (const Field field : {Field::kId, Field::kApplication, Field::kSubnet, Field::kFamily})
    widen(plans, field, wanted(field), left);
  widen(plans, Field::kHistory, kWidestHistory, left);
  std::vector<Column> columns;
  for (const auto& plan : plans) columns.push_back(plan.column);
  return columns;
}

}  // namespace dofa::top
