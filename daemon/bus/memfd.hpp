// SPDX-License-Identifier: Apache-2.0
// A client's frame in a sealed memfd, mapped for reading. The seals make the mapping safe: it can't shrink
// under us (SIGBUS) and its pixels can't change. Movable, not copyable; unmaps itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include "daemon/base.hpp"

namespace dofa::bus {

class MappedFrame {
 public:
  /// kInvalidArgument where `fd` is no memfd, lacks a seal or holds fewer than `bytes`. The descriptor stays
  /// the caller's and may be closed at once.
  static Result<MappedFrame> map(int fd, std::uint64_t bytes);
  MappedFrame(MappedFrame&& other) noexcept;
  MappedFrame& operator=(MappedFrame&&) = delete;
  ~MappedFrame();

  [[nodiscard]] const std::byte* data() const { return data_; }
  /// What the mapping keeps in memory: the whole memfd.
  [[nodiscard]] std::uint64_t pinned_bytes() const { return file_size_; }

 private:
  MappedFrame(const std::byte* data, std::size_t size, std::uint64_t file_size)
      : data_(data), size_(size), file_size_(file_size) {}

  const std::byte* data_;
  std::size_t size_;
  std::uint64_t file_size_;
};

}  // namespace dofa::bus
