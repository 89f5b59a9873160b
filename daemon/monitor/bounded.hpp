// SPDX-License-Identifier: Apache-2.0
// Small fixed-capacity containers, so that readings stay trivially copyable and a Snapshot can be copied
// without locks or allocation. What does not fit is dropped: a monitor must never grow because a board prints
// more than expected. Plain values; as thread-safe as an int.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dofa::monitor {

inline constexpr std::size_t kMaxCores = 256;  ///< cores beyond it count in totals, not one by one
using CoreSet = std::bitset<kMaxCores>;

/// At most Capacity elements, in order of arrival.
template <class T, std::size_t Capacity>
class BoundedList {
 public:
  /// False where the list is full: the element is then dropped.
  bool push_back(const T& value) {
    if (size_ == Capacity) return false;
    items_[size_++] = value;
    return true;
  }
  /// Grows with default elements up to `count` (or the capacity) and shrinks beyond it.
  void resize(std::size_t count) {
    const std::size_t wanted = std::min(count, Capacity);
    for (std::size_t i = size_; i < wanted; ++i) items_[i] = T{};
    size_ = static_cast<std::uint32_t>(wanted);
  }
  void clear() { size_ = 0; }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] static constexpr std::size_t capacity() { return Capacity; }
  T& operator[](std::size_t index) { return items_[index]; }
  const T& operator[](std::size_t index) const { return items_[index]; }
  T* begin() { return items_.data(); }
  T* end() { return items_.data() + size_; }
  [[nodiscard]] const T* begin() const { return items_.data(); }
  [[nodiscard]] const T* end() const { return items_.data() + size_; }

 private:
  std::array<T, Capacity> items_{};
  std::uint32_t size_ = 0;
};

/// A short name (of a sensor, rail, engine or device), cut where it is longer than the capacity.
class Name {
 public:
  Name() = default;
  Name(std::string_view text) {  // NOLINT(google-explicit-constructor): names read like strings
    size_ = static_cast<std::uint8_t>(std::min(text.size(), text_.size()));
    std::copy_n(text.data(), size_, text_.data());
  }
  Name(const char* text) : Name(std::string_view(text)) {}         // NOLINT(google-explicit-constructor)
  Name(const std::string& text) : Name(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  friend bool operator==(const Name& left, const Name& right) { return left.view() == right.view(); }

 private:
  std::array<char, 31> text_{};
  std::uint8_t size_ = 0;
};

}  // namespace dofa::monitor
