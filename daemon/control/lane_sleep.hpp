// SPDX-License-Identifier: Apache-2.0
// How an idle lane sleeps: until it is woken, or until the doorbell of a stream rings. The bell wakes the
// lane and the stream thread at once, where one after the other would cost a frame a second wake-up. wait()
// belongs to the lane's thread; the rest is thread-safe. Descriptors stay their owner's, and leave the set
// when closed.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "daemon/control/stream_gate.hpp"

namespace dofa::control {

class LaneSleep {
 public:
  /// Throws std::system_error where the system has no descriptors left.
  LaneSleep();

  /// Bells of `fd` are told by `id`, which is not 0. Best effort: the stream thread listens in any case.
  void watch(int fd, std::uint64_t id) const;
  void unwatch(int fd) const;
  /// Ends the wait that is on, or else the next one.
  void wake() const;
  /// For at most `patience_us`; the ids of what rang, valid until the next call.
  std::span<const std::uint64_t> wait(std::int64_t patience_us);

 private:
  UniqueFd epoll_;
  UniqueFd wake_;
  std::array<std::uint64_t, 16> rung_{};
};

}  // namespace dofa::control
