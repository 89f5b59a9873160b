// SPDX-License-Identifier: Apache-2.0
// Text tables for terminals: columns as wide as their widest cell, measured in terminal columns rather than
// bytes. Cells come from anywhere (file names, applications' names), so control characters never reach the
// terminal. Width needs LC_CTYPE set to a UTF-8 locale. Pure functions over strings.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace dofa::ctl {

/// `text` with control characters and broken UTF-8 replaced by '?'.
std::string printable(std::string_view text);
/// Terminal columns that a printable text takes.
std::size_t width_of(std::string_view text);
/// The text, cut to `width` columns with an ellipsis at its end where it is longer.
std::string cut(std::string_view text, std::size_t width);

class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
    bool shrinks = false;  ///< gives way where the table is wider than the terminal
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// One cell a column; missing ones are empty.
  void add(std::vector<std::string> cells);
  [[nodiscard]] bool empty() const { return rows_.empty(); }

  struct Style {
    std::size_t width = 0;  ///< of the terminal, 0 = unlimited
    bool color = false;     ///< a bold header
  };
  /// With a header line, no trailing blanks, each line ended by a newline. Columns without a single filled
  /// cell are left out, unless there are no rows at all.
  [[nodiscard]] std::string render(const Style& style) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace dofa::ctl
