// SPDX-License-Identifier: Apache-2.0
#include "client/top/terminal.hpp"

#include <ncurses.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace dofa::top {

struct Terminal::Library {
  SCREEN* screen = nullptr;
};

namespace {

enum Pair : short { kGreen = 1, kYellow, kRed, kCyan, kBar };

attr_t attributes_of(Style style, bool color) {
  const auto pair = [color](Pair which) -> attr_t { return color ? COLOR_PAIR(which) : 0; };
  switch (style) {
    case Style::kPlain:
      return A_NORMAL;
    case Style::kStrong:
      return A_BOLD;
    case Style::kFaint:
      return A_DIM;
    case Style::kTitle:
      return color ? COLOR_PAIR(kBar) | A_BOLD : A_REVERSE | A_BOLD;
    case Style::kHeader:
    case Style::kSelected:
      return style == Style::kHeader ? A_BOLD | A_UNDERLINE : static_cast<attr_t>(A_REVERSE);
    case Style::kGood:
      return pair(kGreen);
    case Style::kWarning:
      return pair(kYellow) | A_BOLD;
    case Style::kBad:
      return pair(kRed) | A_BOLD;
    case Style::kOwn:
      return pair(kCyan);
    case Style::kOthers:
      return pair(kYellow);
  }
  return A_NORMAL;
}

}  // namespace

Terminal::Terminal(bool color) : color_(color), library_(new Library) {
  if (::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1)
    library_->screen = ::newterm(nullptr, stdout, stdin);
  if (library_->screen == nullptr) {
    delete library_;
    const char* name = std::getenv("TERM");
    if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1)
      throw std::runtime_error("'top' needs a terminal; without one there are 'monitor' and 'record'");
    throw std::runtime_error("'top' cannot use the terminal '" + std::string(name == nullptr ? "" : name) +
                             "' (TERM)");
  }
  ::cbreak();
  ::noecho();
  ::nonl();
  ::keypad(stdscr, TRUE);
  ::nodelay(stdscr, TRUE);
  ::set_escdelay(25);  // ms; a lone Escape is a key here
  ::curs_set(0);
  color_ = color && ::has_colors() && ::start_color() == OK;
  if (!color_) return;
  ::use_default_colors();
  ::init_pair(kGreen, COLOR_GREEN, -1);
  ::init_pair(kYellow, COLOR_YELLOW, -1);
  ::init_pair(kRed, COLOR_RED, -1);
  ::init_pair(kCyan, COLOR_CYAN, -1);
  ::init_pair(kBar, COLOR_BLACK, COLOR_CYAN);
}

Terminal::~Terminal() {
  ::endwin();
  ::delscreen(library_->screen);
  delete library_;
}

std::optional<Key> Terminal::key() {
  using Kind = Key::Kind;
  const int code = ::getch();
  switch (code) {
    case ERR:
      return std::nullopt;
    case KEY_UP:
      return Key{Kind::kUp};
    case KEY_DOWN:
      return Key{Kind::kDown};
    case KEY_PPAGE:
      return Key{Kind::kPageUp};
    case KEY_NPAGE:
      return Key{Kind::kPageDown};
    case KEY_HOME:
      return Key{Kind::kHome};
    case KEY_END:
      return Key{Kind::kEnd};
    case KEY_ENTER:
    case '\r':
    case '\n':
      return Key{Kind::kEnter};
    case 27:
      return Key{Kind::kEscape};
    case KEY_BACKSPACE:
    case 127:
    case '\b':
      return Key{Kind::kBackspace};
    case 'U' & 0x1f:
      return Key{Kind::kClearLine};
    default:
      break;
  }
  if (code >= 0x20 && code < 0x7f) return Key{Kind::kText, static_cast<char>(code)};
  return Key{Kind::kText, 0};  // one that means nothing here, so that the caller goes on
}

void Terminal::show(const Screen& screen) {
  ::erase();
  for (std::size_t row = 0; row < screen.lines.size(); ++row) {
    ::move(static_cast<int>(row), 0);
    for (const auto& piece : screen.lines[row]) {
      ::attrset(static_cast<int>(attributes_of(piece.style, color_)));
      ::addstr(piece.text.c_str());
    }
  }
  ::attrset(A_NORMAL);
  ::curs_set(screen.cursor ? 1 : 0);
  if (screen.cursor) ::move(static_cast<int>(screen.lines.size()) - 1, static_cast<int>(*screen.cursor));
  ::refresh();
}

void Terminal::resize() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
    ::resizeterm(size.ws_row, size.ws_col);
  ::clearok(stdscr, TRUE);
}

std::size_t Terminal::width() const {
  return static_cast<std::size_t>(COLS);
}
std::size_t Terminal::height() const {
  return static_cast<std::size_t>(LINES);
}

}  // namespace dofa::top
