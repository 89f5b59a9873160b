// SPDX-License-Identifier: Apache-2.0
#include "client/lib/ring.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace dofa::client {

namespace {

constexpr std::uint32_t kMostSlots = 65'536;  // far above any service's limit: what else is a broken head
constexpr std::uint32_t kMostTop = 100;

Error broken(const std::string& what) {
  return {ErrorCode::kFailed, "the service's frame ring is broken: " + what};
}

Error system_failure(const char* what) {
  return {ErrorCode::kFailed, std::string(what) + ": " + std::generic_category().message(errno)};
}

/// True where [offset, offset + bytes) lies in [from, to) and is aligned.
bool lies_in(std::uint64_t offset, std::uint64_t bytes, std::uint64_t from, std::uint64_t to,
             std::uint64_t alignment) {
  return offset >= from && offset <= to && bytes <= to - offset && offset % alignment == 0;
}

template <std::size_t size>
std::string text_of(const char (&field)[size]) {
  return {field, ::strnlen(field, size)};
}

std::optional<Error> error_of(const dofa_result& result) {
  if (result.status == DOFA_STATUS_OK) return std::nullopt;
  // The table of D-Bus errors, moved by one; what a newer service may say beyond it is a failure.
  const bool known = result.status <= static_cast<std::uint32_t>(ErrorCode::kInvalidFamily) + 1;
  return Error(known ? static_cast<ErrorCode>(result.status - 1) : ErrorCode::kFailed,
               text_of(result.message));
}

}  // namespace

Ring::Ring(const sdbus::UnixFd& memory) {
  struct stat status {};
  if (::fstat(memory.get(), &status) != 0) throw system_failure("cannot look at the frame ring");
  // A memory that could shrink under us would end the process with SIGBUS.
  const int seals = ::fcntl(memory.get(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) throw broken("its size is not sealed");
  mapped_ = static_cast<std::size_t>(status.st_size);
  if (mapped_ < sizeof(dofa_ring)) throw broken("it is too small");
  void* data = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  if (data == MAP_FAILED) throw system_failure("cannot map the frame ring");
  shared_ = static_cast<dofa_ring*>(data);
  std::memcpy(&head_, shared_, sizeof head_);
  try {
    check(head_, mapped_);
    slots_.resize(head_.slots);
  } catch (...) {
    ::munmap(shared_, mapped_);
    throw;
  }
}

Ring::~Ring() {
  ::munmap(shared_, mapped_);
}

void Ring::check(const dofa_ring& head, std::uint64_t mapped) {
  if (dofa_ring_check(&head, mapped) != 0) throw broken("it is of another version, or none");
  if (head.slots > kMostSlots || head.top_k > kMostTop) throw broken("its counts make no sense");
  if (head.slot_bytes > mapped || !lies_in(head.slots_offset, head.slots * head.slot_bytes, sizeof(dofa_ring),
                                           head.bytes, alignof(std::uint64_t)))
    throw broken("its slots lie outside");
  const bool sound = head.slot_bytes % alignof(std::uint64_t) == 0 &&
                     lies_in(head.pixels_offset, head.pixels_bytes, sizeof(dofa_slot), head.slot_bytes, 1) &&
                     lies_in(head.result_offset, sizeof(dofa_result), sizeof(dofa_slot), head.slot_bytes,
                             alignof(dofa_result)) &&
                     lies_in(head.top_offset, head.top_k * sizeof(dofa_top), sizeof(dofa_slot),
                             head.slot_bytes, alignof(dofa_top)) &&
                     lies_in(head.raw_offset, head.raw_floats * sizeof(float), sizeof(dofa_slot),
                             head.slot_bytes, alignof(float));
  if (!sound) throw broken("a part of its slots lies outside");
}

dofa_slot* Ring::slot_at(std::uint32_t index) const {
  char* slots = reinterpret_cast<char*>(shared_) + head_.slots_offset;
  return reinterpret_cast<dofa_slot*>(slots + index * head_.slot_bytes);
}

std::optional<std::uint32_t> Ring::claim() {
  const std::lock_guard lock(mutex_);
  for (std::uint32_t n = 0; n < head_.slots; ++n) {
    const std::uint32_t index = (next_ + n) % head_.slots;
    if (slots_[index].owner != Owner::kNobody) continue;
    slots_[index].owner = Owner::kApplication;
    next_ = (index + 1) % head_.slots;
    return index;
  }
  return std::nullopt;
}

void Ring::give_back(std::uint32_t index) {
  const std::lock_guard lock(mutex_);
  slots_[index].owner = Owner::kNobody;
}

std::span<std::byte> Ring::pixels(std::uint32_t index) const {
  return {static_cast<std::byte*>(dofa_slot_pixels(&head_, slot_at(index))), head_.pixels_bytes};
}

void Ring::publish(std::uint32_t index, const dofa_frame& frame) {
  const std::lock_guard lock(mutex_);
  dofa_slot* slot = slot_at(index);
  slot->frame = frame;
  slots_[index] = {Owner::kService, frame.sequence};
  dofa_slot_publish(slot);
}

bool Ring::done(std::uint32_t index) const {
  return slots_[index].owner == Owner::kService && dofa_slot_state(slot_at(index)) == DOFA_SLOT_DONE;
}

std::optional<StreamResult> Ring::take() {
  const std::lock_guard lock(mutex_);
  std::optional<std::uint32_t> first;
  for (std::uint32_t index = 0; index < head_.slots; ++index) {
    if (done(index) && (!first || slots_[index].sequence < slots_[*first].sequence)) first = index;
  }
  if (!first) return std::nullopt;
  return read(*first);
}

bool Ring::has_result() const {
  const std::lock_guard lock(mutex_);
  for (std::uint32_t index = 0; index < head_.slots; ++index) {
    if (done(index)) return true;
  }
  return false;
}

StreamResult Ring::read(std::uint32_t index) {
  dofa_slot* slot = slot_at(index);
  dofa_result answer;
  std::memcpy(&answer, dofa_slot_result(&head_, slot), sizeof answer);
  StreamResult result{.sequence = slots_[index].sequence, .error = error_of(answer)};
  if (!result.error) {
    const dofa_top* top = dofa_slot_top(&head_, slot);
    for (std::uint32_t i = 0; i < std::min(answer.top_count, head_.top_k); ++i)
      result.top.push_back({.class_index = top[i].class_index, .probability = top[i].probability});
    result.level = answer.level;
    result.processor = text_of(answer.processor);
    result.late = (answer.flags & DOFA_RESULT_LATE) != 0;
    result.background = (answer.flags & DOFA_RESULT_BACKGROUND) != 0;
    result.arrival_us = answer.arrival_us;
    result.queue_us = answer.queue_us;
    result.service_us = answer.service_us;
    result.preprocess_us = answer.preprocess_us;
    result.inference_us = answer.inference_us;
    result.raw = {dofa_slot_raw(&head_, slot), std::min(answer.raw_count, head_.raw_floats)};
  }
  if (result.raw.empty()) {
    dofa_slot_release(slot);
    slots_[index].owner = Owner::kNobody;
  } else {
    slots_[index].owner = Owner::kApplication;
    result.raw_slot =
        std::shared_ptr<const void>(slot, [self = shared_from_this(), slot, index](const void*) {
          dofa_slot_release(slot);
          self->give_back(index);
        });
  }
  return result;
}

std::vector<std::uint64_t> Ring::in_flight() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> sequences;
  for (const auto& slot : slots_) {
    if (slot.owner == Owner::kService) sequences.push_back(slot.sequence);
  }
  std::ranges::sort(sequences);
  return sequences;
}

}  // namespace dofa::client
