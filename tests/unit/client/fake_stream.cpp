// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/client/fake_stream.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace dofa::test {

namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kFloatsAndTops = 1024;  // room behind a result, more than a test asks for

std::uint32_t number(const Dictionary& format, const std::string& key, std::uint32_t otherwise) {
  const auto found = format.find(key);
  return found == format.end() ? otherwise : found->second.get<std::uint32_t>();
}

dofa_ring head_for(const Dictionary& format) {
  static const std::map<std::string, std::pair<std::uint32_t, std::uint64_t>> formats{
      {"rgb8", {DOFA_FORMAT_RGB8, 6}},   {"bgr8", {DOFA_FORMAT_BGR8, 6}},
      {"gray8", {DOFA_FORMAT_GRAY8, 2}}, {"nv12", {DOFA_FORMAT_NV12, 3}},
      {"yuyv", {DOFA_FORMAT_YUYV, 4}},   {"float32-nchw", {DOFA_FORMAT_FLOAT32_NCHW, 24}}};
  const auto [code, half_bytes] = formats.at(format.at("format").get<std::string>());
  dofa_ring head{};
  head.magic = DOFA_RING_MAGIC;
  head.version = DOFA_RING_VERSION;
  head.slots = number(format, "slots", 4);
  head.top_k = number(format, "top-k", 5);
  head.raw_floats = format.contains("raw-output") ? FakeStream::kRawFloats : 0;
  head.format = code;
  head.width = number(format, "width", 0);
  head.height = number(format, "height", 0);
  head.stride = number(format, "stride", 0);
  head.slots_offset = kPage;
  head.pixels_offset = sizeof(dofa_slot);
  head.pixels_bytes = std::uint64_t{head.width} * head.height * half_bytes / 2;
  head.result_offset = (head.pixels_offset + head.pixels_bytes + 63) / 64 * 64;
  head.top_offset = head.result_offset + sizeof(dofa_result);
  head.raw_offset = head.top_offset + head.top_k * sizeof(dofa_top);
  head.slot_bytes = (head.raw_offset + kFloatsAndTops + kPage - 1) / kPage * kPage;
  head.bytes = kPage + head.slots * head.slot_bytes;
  return head;
}

}  // namespace

FakeStream::FakeStream(const Dictionary& format, const Spoil& spoil)
    : head_(head_for(format)),
      fd_(::memfd_create("fake-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING), sdbus::adopt_fd) {
  const auto bytes = static_cast<off_t>(head_.bytes);
  if (::ftruncate(fd_.get(), bytes) != 0) throw std::runtime_error("memfd");
  data_ = static_cast<char*>(::mmap(nullptr, head_.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0));
  if (data_ == MAP_FAILED) throw std::runtime_error("mmap");
  dofa_ring told = head_;
  told.refused = kSealed;
  if (spoil) spoil(told);
  const bool sealed = std::exchange(told.refused, 0) == kSealed;
  std::memcpy(data_, &told, sizeof told);
  if (sealed) ::fcntl(fd_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw std::runtime_error("socketpair");
  ours_ = sdbus::UnixFd{ends[0], sdbus::adopt_fd};
  theirs_ = sdbus::UnixFd{ends[1], sdbus::adopt_fd};
  thread_ = std::thread([this] { serve(); });
}

FakeStream::~FakeStream() {
  hang_up();
  thread_.join();
  ::munmap(data_, head_.bytes);
}

sdbus::UnixFd FakeStream::memory() const {
  return sdbus::UnixFd{fd_.get()};
}
sdbus::UnixFd FakeStream::take_doorbell() {
  return std::move(theirs_);
}

void FakeStream::hang_up() {
  ::shutdown(ours_.get(), SHUT_RDWR);
}
void FakeStream::ring() const {
  (void)dofa_doorbell_ring(ours_.get());
}

void FakeStream::serve() {
  char bell = 0;
  while (::recv(ours_.get(), &bell, 1, 0) > 0) {
    const std::lock_guard lock(mutex_);
    for (std::uint32_t index = 0; index < head_.slots; ++index) {
      auto* slot = reinterpret_cast<dofa_slot*>(data_ + head_.slots_offset + index * head_.slot_bytes);
      if (dofa_slot_state(slot) != DOFA_SLOT_SUBMITTED) continue;
      last_frame_ = slot->frame;
      dofa_slot_set_state(slot, DOFA_SLOT_TAKEN);
      if (hold_) {
        held_.push_back(index);
      } else {
        reply(index);
      }
    }
    changed_.notify_all();
  }
}

void FakeStream::reply(std::uint32_t index) {
  char* base = data_ + head_.slots_offset + index * head_.slot_bytes;
  auto* slot = reinterpret_cast<dofa_slot*>(base);
  dofa_result result{};
  result.sequence = slot->frame.sequence;
  result.arrival_us = 1;
  result.queue_us = 10;
  result.service_us = 3200;
  result.preprocess_us = 200;
  result.inference_us = 3000;
  result.flags = DOFA_RESULT_LATE;
  result.level = 1;
  result.top_count = head_.top_k;
  result.raw_count = head_.raw_floats;
  std::strcpy(result.processor, "cpu");
  auto* top = reinterpret_cast<dofa_top*>(base + head_.top_offset);
  for (std::uint32_t i = 0; i < head_.top_k; ++i) top[i] = {i, 0.0F};
  top[0] = {static_cast<unsigned char>(base[head_.pixels_offset]), 0.75F};
  classes_.push_back(top[0].class_index);
  auto* raw = reinterpret_cast<float*>(base + head_.raw_offset);
  for (std::uint32_t i = 0; i < head_.raw_floats; ++i) raw[i] = static_cast<float>(i) + 0.5F;
  if (alter_) alter_(result);
  std::memcpy(base + head_.result_offset, &result, sizeof result);
  dofa_slot_set_state(slot, DOFA_SLOT_DONE);
  ring();
}

void FakeStream::hold(bool hold) {
  const std::lock_guard lock(mutex_);
  hold_ = hold;
}

void FakeStream::answer(std::size_t count) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, std::chrono::seconds(10), [&] { return held_.size() >= count; }))
    throw std::runtime_error("too few frames arrived");
  for (auto index = held_.rbegin(); index != held_.rend(); ++index) reply(*index);
  held_.clear();
}

void FakeStream::alter(std::function<void(dofa_result&)> alter) {
  const std::lock_guard lock(mutex_);
  alter_ = std::move(alter);
}

void FakeStream::scribble_head() {
  std::memset(data_, 0xA5, sizeof(dofa_ring));
}

std::uint64_t FakeStream::refused() const {
  return __atomic_load_n(&reinterpret_cast<dofa_ring*>(data_)->refused, __ATOMIC_RELAXED);
}

std::vector<std::uint32_t> FakeStream::classes() {
  const std::lock_guard lock(mutex_);
  return classes_;
}

dofa_frame FakeStream::last_frame() {
  const std::lock_guard lock(mutex_);
  return last_frame_;
}

}  // namespace dofa::test
