// SPDX-License-Identifier: Apache-2.0
#include "tests/support/ring_client.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <utility>

#include "tests/support/catch.hpp"

namespace dofa::test {
namespace {

constexpr int kPatienceMs = 10'000;

}  // namespace

RingClient::RingClient(control::StreamEnds ends) : ends_(std::move(ends)) {
  struct stat status {};
  REQUIRE(fstat(ends_.ring.get(), &status) == 0);
  size_ = static_cast<std::uint64_t>(status.st_size);
  memory_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, ends_.ring.get(), 0);
  REQUIRE(memory_ != MAP_FAILED);
  REQUIRE(dofa_ring_check(&ring(), size_) == 0);
}

RingClient::RingClient(RingClient&& other) noexcept
    : ends_(std::move(other.ends_)), memory_(std::exchange(other.memory_, nullptr)), size_(other.size_) {}

RingClient::~RingClient() {
  if (memory_ != nullptr) munmap(memory_, size_);
}

std::uint8_t* RingClient::pixels(std::uint32_t index) const {
  return static_cast<std::uint8_t*>(dofa_slot_pixels(&ring(), &slot(index)));
}
const dofa_result& RingClient::result(std::uint32_t index) const {
  return *dofa_slot_result(&ring(), &slot(index));
}
const dofa_top* RingClient::top(std::uint32_t index) const {
  return dofa_slot_top(&ring(), &slot(index));
}
const float* RingClient::raw(std::uint32_t index) const {
  return dofa_slot_raw(&ring(), &slot(index));
}

void RingClient::publish(std::uint32_t index, std::uint64_t sequence) {
  dofa_frame& frame = slot(index).frame;
  frame = {};
  frame.sequence = sequence;
  frame.format = ring().format;
  frame.width = ring().width;
  frame.height = ring().height;
  frame.stride = ring().stride;
  dofa_slot_publish(&slot(index));
}

void RingClient::ring_bell() const {
  REQUIRE(dofa_doorbell_ring(doorbell()) == 0);
}

bool RingClient::wait_done(std::uint32_t index) const {
  while (dofa_slot_state(&slot(index)) != DOFA_SLOT_DONE) {
    pollfd bell{doorbell(), POLLIN, 0};
    if (poll(&bell, 1, kPatienceMs) <= 0) return false;
    if (dofa_doorbell_drain(doorbell()) != 0) return dofa_slot_state(&slot(index)) == DOFA_SLOT_DONE;
  }
  return true;
}

}  // namespace dofa::test
