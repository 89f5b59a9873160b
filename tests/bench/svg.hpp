// SPDX-License-Identifier: Apache-2.0
// The few helpers that topics drawing SVG share. Pure, no state.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <string>

namespace dofa::bench::svg {

/// printf onto the end of `text`; what exceeds 511 characters is cut off.
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
inline void
append(std::string& text, const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  text += line;
}

/// `text` as it may stand between tags.
inline std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '<')
      result += "&lt;";
    else if (c == '&')
      result += "&amp;";
    else
      result += c;
  }
  return result;
}

/// Opens a picture on white ground; the caller ends it with "</svg>\n".
inline std::string begin(double width, double height) {
  std::string text;
  append(text,
         "<svg xmlns='http://www.w3.org/2000/svg' width='%.0f' height='%.0f' font-family='sans-serif' "
         "font-size='11'>\n<rect width='100%%' height='100%%' fill='white'/>\n",
         width, height);
  return text;
}

}  // namespace dofa::bench::svg
