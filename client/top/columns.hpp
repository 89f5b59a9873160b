// SPDX-License-Identifier: Apache-2.0
// The table of sessions: which columns a screen of some width has, and how wide each is. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "client/top/model.hpp"
#include "client/top/ui.hpp"

namespace dofa::top {

enum class Field {
  kId,
  kApplication,
  kFamily,
  kLevel,
  kSubnet,
  kProcessor,
  kTop1,
  kLatency,
  kBudget,
  kHistory,
  kInTime,
  kRate
};

struct Column {
  Field field;
  const char* title;
  std::size_t width;
  bool right = false;  ///< aligned to
};

/// What fits into `width`, in order. The least important give way first; the history, then the names, take
/// what is left over.
std::vector<Column> columns_for(std::size_t width, const std::vector<Row>& rows);
/// Blanks between two columns.
inline constexpr std::size_t kColumnGap = 1;

/// The field that rows are sorted by.
Field sorted_field(Sort sort);
/// A row's cell as text; the history has none.
std::string cell_text(const Row& row, Field field);

}  // namespace dofa::top
