// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/kernels/memory.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace dofa::engine::kernels {
namespace {
constexpr std::size_t kPage = 4096;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t round_up(std::size_t value, std::size_t step) {
  return (value + step - 1) / step * step;
}

void* map(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return memory;
}

/// Maps `bytes` at a huge page boundary: maps more and gives the ends back.
void* map_huge(std::size_t bytes) {
  auto* memory = static_cast<char*>(map(bytes + kHugePage));
  const std::size_t lead = round_up(reinterpret_cast<std::uintptr_t>(memory), kHugePage) -
                           reinterpret_cast<std::uintptr_t>(memory);
  if (lead > 0) munmap(memory, lead);
  if (lead < kHugePage) munmap(memory + lead + bytes, kHugePage - lead);
  madvise(memory + lead, bytes, MADV_HUGEPAGE);
  return memory + lead;
}
}  // namespace

FloatBuffer::FloatBuffer(std::size_t count) : count_(count) {
  if (count == 0) return;
  const std::size_t size = round_up(bytes(), kPage);
  // Fresh anonymous pages are zero and cost nothing until they are touched.
  void* memory = size >= kHugePage ? map_huge(size) : map(size);
  data_ = {static_cast<float*>(memory), Unmap{size}};
}

bool FloatBuffer::lock() const {
  return count_ == 0 || mlock(data_.get(), bytes()) == 0;
}

void FloatBuffer::Unmap::operator()(float* memory) const {
  munmap(memory, bytes);
}

}  // namespace dofa::engine::kernels
