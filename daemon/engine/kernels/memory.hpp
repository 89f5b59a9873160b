// SPDX-License-Identifier: Apache-2.0
// Float storage for weights and activations: page-aligned, zeroed, on huge pages where it is large enough (a
// sub-network streams tens of megabytes a frame; with 4 KiB pages the TLB alone costs several per cent).
// A buffer is owned by exactly one object; moving it keeps its address, so pointers into it stay valid.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace dofa::engine::kernels {

class FloatBuffer {
 public:
  FloatBuffer() = default;
  /// `count` floats, all zero. Throws std::bad_alloc.
  explicit FloatBuffer(std::size_t count);

  [[nodiscard]] float* data() { return data_.get(); }
  [[nodiscard]] const float* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] std::size_t bytes() const { return count_ * sizeof(float); }
  [[nodiscard]] std::span<float> span() { return {data_.get(), count_}; }

  /// Keeps the pages in memory (mlock). False when the system refuses, usually for want of RLIMIT_MEMLOCK.
  [[nodiscard]] bool lock() const;

 private:
  struct Unmap {
    std::size_t bytes;
    void operator()(float* memory) const;
  };
  std::unique_ptr<float, Unmap> data_;
  std::size_t count_ = 0;
};

}  // namespace dofa::engine::kernels
