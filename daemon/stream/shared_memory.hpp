// SPDX-License-Identifier: Apache-2.0
// The two things that a stream shares with its application: a memfd that can neither shrink (SIGBUS) nor
// grow, and a pair of doorbells. Both ends of the doorbell queue a handful of bells and no more. Movable;
// they close themselves.
#pragma once

#include <cstddef>
#include <cstdint>

#include "daemon/base.hpp"
#include "daemon/control/stream_gate.hpp"

namespace dofa::stream {

class SharedMemory {
 public:
  /// `bytes` of zeros, sealed F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL and mapped readable and writable.
  /// kFailed where the system has none to give.
  static Result<SharedMemory> create(std::uint64_t bytes);
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&&) = delete;
  ~SharedMemory();

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Gives back the whole pages in this range, for everybody who has it mapped: they read as zeros. Best
  /// effort.
  void release(std::uint64_t offset, std::uint64_t bytes) const;
  /// The descriptor, to be given away; the mapping stays.
  [[nodiscard]] control::UniqueFd take_fd() { return std::move(fd_); }

 private:
  SharedMemory(control::UniqueFd fd, std::byte* data, std::uint64_t size)
      : fd_(std::move(fd)), data_(data), size_(size) {}

  control::UniqueFd fd_;
  std::byte* data_;
  std::uint64_t size_;
};

struct DoorbellPair {
  control::UniqueFd ours;
  control::UniqueFd theirs;
};
Result<DoorbellPair> make_doorbells();

}  // namespace dofa::stream
