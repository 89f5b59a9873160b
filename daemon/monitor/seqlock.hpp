// SPDX-License-Identifier: Apache-2.0
// Publishes a trivially copyable value from one writer thread to any number of readers without locks. The
// value lies in atomic words, so a torn copy is well-defined (and seen by ThreadSanitizer as such) and simply
// read again. After Boehm, "Can Seqlocks Get Along With Programming Language Memory Models?" (MSPC 2012),
// with acquire and release on the words instead of fences, which ThreadSanitizer does not model.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace dofa::monitor {

template <class T>
class Seqlock {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  explicit Seqlock(const T& value) { store(value); }

  /// One thread at a time.
  void store(const T& value) {
    std::array<std::uint64_t, kWords> words{};
    std::memcpy(words.data(), &value, sizeof(T));
    const std::uint64_t before = sequence_.load(std::memory_order_relaxed);
    sequence_.store(before + 1, std::memory_order_relaxed);
    // Whoever sees one of the new words also sees that the sequence has become odd.
    for (std::size_t i = 0; i < kWords; ++i) words_[i].store(words[i], std::memory_order_release);
    sequence_.store(before + 2, std::memory_order_release);
  }

  /// Any thread.
  [[nodiscard]] T load() const {
    std::array<std::uint64_t, kWords> words{};
    while (true) {
      const std::uint64_t before = sequence_.load(std::memory_order_acquire);
      if (before % 2 == 0) {
        for (std::size_t i = 0; i < kWords; ++i) words[i] = words_[i].load(std::memory_order_acquire);
        if (sequence_.load(std::memory_order_relaxed) == before) break;
      }
    }
    T value;
    std::memcpy(static_cast<void*>(&value), words.data(), sizeof(T));
    return value;
  }

 private:
  static constexpr std::size_t kWords = (sizeof(T) + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t);
  std::atomic<std::uint64_t> sequence_{0};
  std::array<std::atomic<std::uint64_t>, kWords> words_{};
};

}  // namespace dofa::monitor
