// SPDX-License-Identifier: Apache-2.0
// A streaming JSON writer for the `--json` output of every program here. It puts the commas, escapes strings
// (bytes that are not UTF-8 become U+FFFD), prints numbers so that they read back equal, and NaN and infinity
// as null. Nesting is the caller's duty: each begin_ has its end_. Header-only, std only; one writer belongs
// to one thread.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

namespace dofa::json {

class Writer {
 public:
  Writer& begin_object() { return open('{'); }
  Writer& end_object() { return close('}'); }
  Writer& begin_array() { return open('['); }
  Writer& end_array() { return close(']'); }

  /// Names the member that follows; only inside an object.
  Writer& key(std::string_view name) {
    separate();
    quote(name);
    text_ += ':';
    needs_comma_ = false;
    return *this;
  }

  Writer& value(std::string_view string) {
    separate();
    quote(string);
    return *this;
  }
  Writer& value(const char* string) { return value(std::string_view(string)); }
  Writer& value(bool flag) { return raw(flag ? "true" : "false"); }
  Writer& value(std::nullptr_t) { return raw("null"); }
  template <class Number>
  requires(std::integral<Number> || std::floating_point<Number>) Writer& value(Number number) {
    if constexpr (std::floating_point<Number>) {
      if (!std::isfinite(number)) return raw("null");
    }
    char digits[40];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    return raw({digits, static_cast<std::size_t>(end - digits)});
  }
  template <class Value>
  Writer& member(std::string_view name, const Value& member_value) {
    return key(name).value(member_value);
  }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void separate() {
    if (needs_comma_) text_ += ',';
    needs_comma_ = true;
  }
  Writer& raw(std::string_view token) {
    separate();
    text_ += token;
    return *this;
  }
  Writer& open(char bracket) {
    separate();
    text_ += bracket;
    needs_comma_ = false;
    return *this;
  }
  Writer& close(char bracket) {
    text_ += bracket;
    needs_comma_ = true;
    return *this;
  }

  /// Bytes of the well-formed UTF-8 sequence `text` begins with, 0 where there is none (RFC 3629).
  static std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) {
      return static_cast<unsigned char>(i < text.size() ? text[i] : 0);
    };
    const auto tail = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
      return byte(i) >= low && byte(i) <= high;
    };
    const unsigned lead = byte(0);
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF)
      return tail(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF) && tail(2) ? 3 : 0;
    if (lead >= 0xF0 && lead <= 0xF4)
      return tail(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF) && tail(2) && tail(3) ? 4 : 0;
    return 0;
  }
  void quote(std::string_view string) {
    text_ += '"';
    while (!string.empty()) {
      const std::size_t length = utf8_length(string);
      const char first = string.front();
      if (length == 0) {
        text_ += "\xEF\xBF\xBD";
      } else if (first == '"' || first == '\\') {
        (text_ += '\\') += first;
      } else if (static_cast<unsigned char>(first) < 0x20 || first == 0x7F) {
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(first));
        text_ += escape;
      } else {
        text_ += string.substr(0, length);
      }
      string.remove_prefix(length == 0 ? 1 : length);
    }
    text_ += '"';
  }

  std::string text_;
  bool needs_comma_ = false;
};

}  // namespace dofa::json
