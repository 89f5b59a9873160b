// SPDX-License-Identifier: Apache-2.0
// How an idle lane sleeps: until it is woken, or until the doorbell of a stream rings. A bell wakes one
// listener, the first that sleeps (epoll_ctl(2), EPOLLEXCLUSIVE): the lane where it is idle, else the stream
// thread, which watches the bell too; two wake-ups a frame cost the second's time on the way. Hang-ups wake
// all. wait() belongs to the lane's thread; the rest is thread-safe. Descriptors stay their owner's, and
// leave the set when closed.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "daemon/control/stream_gate.hpp"

namespace dofa::control {

class LaneSleep {
 public:
  static constexpr std::size_t kMostBells = 16;

  /// Throws std::system_error where the system has no descriptors left.
  LaneSleep();

  /// Bells of `fd` are told by `id`, which is not 0. Before others watch it: who came first is asked first.
  /// Best effort: the stream thread listens in any case.
  void watch(int fd, std::uint64_t id) const;
  void unwatch(int fd) const;
  /// Ends the wait that is on, or else the next one.
  void wake() const;
  /// For at most `patience_us`; the ids of what rang, valid until the next call. Nobody else may have heard
  /// these bells: take them off. Where kMostBells or more rang there may be others: wait again before turning
  /// to anything else.
  std::span<const std::uint64_t> wait(std::int64_t patience_us);

 private:
  UniqueFd epoll_;
  UniqueFd wake_;
  std::array<std::uint64_t, kMostBells + 1> rung_{};
};

}  // namespace dofa::control
