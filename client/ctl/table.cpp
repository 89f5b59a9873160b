// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/table.hpp"

#include <algorithm>
#include <cwchar>

namespace dofa::ctl {

namespace {

constexpr std::size_t kGap = 2;        // blanks between columns
constexpr std::size_t kNarrowest = 8;  // a shrinking column keeps this much

struct Character {
  std::size_t bytes = 1;
  int columns = -1;  ///< negative: not to be printed
};

Character first_of(std::string_view text) {
  std::mbstate_t state{};
  wchar_t wide = 0;
  const std::size_t length = std::mbrtowc(&wide, text.data(), text.size(), &state);
  if (length == 0 || length > text.size()) return {};
  return {.bytes = length, .columns = ::wcwidth(wide)};
}

template <class Visit>
void for_each_character(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const Character character = first_of(text);
    visit(text.substr(0, character.bytes), character.columns);
    text.remove_prefix(character.bytes);
  }
}

}  // namespace

std::string printable(std::string_view text) {
  std::string clean;
  for_each_character(text, [&](std::string_view bytes, int columns) {
    if (columns < 0) {
      clean += '?';
    } else {
      clean += bytes;
    }
  });
  return clean;
}

std::size_t width_of(std::string_view text) {
  std::size_t width = 0;
  for_each_character(text, [&](std::string_view, int columns) {
    width += columns < 0 ? 1 : static_cast<std::size_t>(columns);
  });
  return width;
}

std::string cut(std::string_view text, std::size_t width) {
  if (width_of(text) <= width) return std::string(text);
  std::string kept;
  std::size_t taken = 1;  // the ellipsis
  bool full = false;
  for_each_character(text, [&](std::string_view bytes, int columns) {
    taken += columns < 0 ? 1 : static_cast<std::size_t>(columns);
    full = full || taken > width;
    if (!full) kept += bytes;
  });
  return width == 0 ? "" : kept + "…";
}

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (auto& cell : cells) cell = printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::render(const Style& style) const {
  std::vector<std::size_t> shown;  // indices of columns
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (rows_.empty() || std::ranges::any_of(rows_, [i](const auto& row) { return !row[i].empty(); }))
      shown.push_back(i);
  }

  std::vector<std::string> header;
  std::vector<std::size_t> widths(columns_.size());
  std::size_t total = kGap * (shown.empty() ? 0 : shown.size() - 1);
  for (const auto& column : columns_) header.push_back(column.title);
  for (const std::size_t i : shown) {
    widths[i] = width_of(header[i]);
    for (const auto& row : rows_) widths[i] = std::max(widths[i], width_of(row[i]));
    total += widths[i];
  }
  for (const std::size_t i : shown) {
    if (style.width == 0 || total <= style.width) break;
    if (!columns_[i].shrinks || widths[i] <= kNarrowest) continue;
    const std::size_t less = std::min(total - style.width, widths[i] - kNarrowest);
    widths[i] -= less;
    total -= less;
  }

  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (const std::size_t i : shown) {
      const std::string cell = cut(cells[i], widths[i]);
      const std::string padding(widths[i] - width_of(cell), ' ');
      if (!text.empty()) text.append(kGap, ' ');
      text += columns_[i].align == Align::kRight ? padding + cell : cell + padding;
    }
    return text.substr(0, text.find_last_not_of(' ') + 1);
  };
  std::string text = style.color ? "\033[1m" + line(header) + "\033[0m\n" : line(header) + "\n";
  for (const auto& row : rows_) text += line(row) + "\n";
  return text;
}

}  // namespace dofa::ctl
