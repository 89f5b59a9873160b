// SPDX-License-Identifier: Apache-2.0
// Reading kernel text without allocation and without trusting it. A Scanner walks over a view and only moves
// on success; numbers that do not fit, are not finite or have nothing before them are no numbers. A value
// type.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace dofa::monitor {

[[nodiscard]] constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
[[nodiscard]] constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
[[nodiscard]] constexpr bool is_letter(char c) {
  return is_upper(c) || (c >= 'a' && c <= 'z');
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  [[nodiscard]] bool at_word_end() const { return rest_.empty() || is_blank(rest_.front()); }

  void skip(std::size_t count) { rest_.remove_prefix(count < rest_.size() ? count : rest_.size()); }
  void skip_blanks() {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
  }

  bool eat(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }

  /// The longest run of characters that satisfy `accept`, possibly empty.
  template <class Accept>
  std::string_view take_while(Accept accept) {
    std::size_t length = 0;
    while (length < rest_.size() && accept(rest_[length])) ++length;
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }
  std::string_view word() {
    return take_while([](char c) { return !is_blank(c); });
  }

  /// The next line without its newline; nullopt at the end and for a last line that was cut off before its
  /// newline: half a number would be a wrong number.
  std::optional<std::string_view> full_line() {
    const std::size_t end = rest_.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return line;
  }

  std::optional<std::uint64_t> unsigned_number() { return number<std::uint64_t>(is_digit(peek())); }
  std::optional<std::int64_t> signed_number() { return number<std::int64_t>(starts_number()); }
  /// Digits with an optional sign and fraction; no exponent, no "inf", no "nan".
  std::optional<double> decimal() { return number<double>(starts_number(), std::chars_format::fixed); }

 private:
  [[nodiscard]] bool starts_number() const {
    return is_digit(peek()) || (peek() == '-' && rest_.size() > 1 && is_digit(rest_[1]));
  }
  template <class T, class... Format>
  std::optional<T> number(bool starts, Format... format) {
    if (!starts) return std::nullopt;
    T value{};
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, format...);
    if (error != std::errc{}) return std::nullopt;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }

  std::string_view rest_;
};

/// The text without blanks at both ends.
[[nodiscard]] constexpr std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// The whole text as one integer, blanks around it allowed: how sysfs prints single values.
[[nodiscard]] inline std::optional<std::int64_t> parse_integer(std::string_view text) {
  Scanner scan(trimmed(text));
  const auto value = scan.signed_number();
  return scan.done() ? value : std::nullopt;
}

}  // namespace dofa::monitor
