// SPDX-License-Identifier: Apache-2.0
// The terminal, through ncurses: the only file that knows it. Full screen while the object lives, as it was
// before afterwards. One a program; the main thread's.
#pragma once

#include <optional>

#include "client/top/ui.hpp"
#include "client/top/view.hpp"

namespace dofa::top {

class Terminal {
 public:
  /// Throws std::runtime_error where stdin or stdout is no terminal that ncurses can use.
  explicit Terminal(bool color);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// The next key that is there already; nothing where none is.
  std::optional<Key> key();
  void show(const Screen& screen);
  /// The window has another size (SIGWINCH).
  void resize();
  [[nodiscard]] std::size_t width() const;
  [[nodiscard]] std::size_t height() const;

 private:
  bool color_;
  struct Library;
  Library* library_;
};

}  // namespace dofa::top
