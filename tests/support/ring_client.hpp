// SPDX-License-Identifier: Apache-2.0
// An application's side of a frame ring, made of nothing but the public header. Checks with Catch2. Not
// thread-safe.
#pragma once

#include <cstdint>

#include "daemon/control/stream_gate.hpp"
#include "proto/frame_ring.h"

namespace dofa::test {

/// An application's end of a stream: maps the ring, closes both when it goes.
class RingClient {
 public:
  explicit RingClient(control::StreamEnds ends);
  RingClient(RingClient&& other) noexcept;
  RingClient& operator=(RingClient&&) = delete;
  ~RingClient();

  [[nodiscard]] dofa_ring& ring() const { return *static_cast<dofa_ring*>(memory_); }
  [[nodiscard]] std::uint8_t* bytes() const { return static_cast<std::uint8_t*>(memory_); }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] int ring_fd() const { return ends_.ring.get(); }
  [[nodiscard]] int doorbell() const { return ends_.doorbell.get(); }
  [[nodiscard]] dofa_slot& slot(std::uint32_t index) const { return *dofa_ring_slot(&ring(), index); }
  [[nodiscard]] std::uint8_t* pixels(std::uint32_t index) const;
  [[nodiscard]] const dofa_result& result(std::uint32_t index) const;
  [[nodiscard]] const dofa_top* top(std::uint32_t index) const;
  [[nodiscard]] const float* raw(std::uint32_t index) const;

  /// Fills in the header from the ring's own format and publishes the slot, without ringing.
  void publish(std::uint32_t index, std::uint64_t sequence);
  void ring_bell() const;
  /// Waits for bells until the slot is DONE; false after ten seconds or when the service has hung up.
  [[nodiscard]] bool wait_done(std::uint32_t index) const;
  /// Closes the doorbell, as a dying application does.
  void hang_up() { ends_.doorbell = {}; }

 private:
  control::StreamEnds ends_;
  void* memory_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace dofa::test
