// SPDX-License-Identifier: Apache-2.0
// The inside of Stream: the ring of the moment, its doorbell, and the results that outlive it. The session
// attaches a ring, a new one after each restart of the service, and ends the stream when it ends itself.
// Thread-safe.
#pragma once

#include <dofa/stream.hpp>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "client/lib/dispatcher.hpp"
#include "client/lib/ring.hpp"
#include "proto/compat.hpp"

namespace dofa::client {

class StreamCore {
 public:
  /// Throws Error where the system has no descriptors left.
  explicit StreamCore(const StreamOptions& options);

  [[nodiscard]] const StreamOptions& options() const { return options_; }
  /// Goes on with this ring. What was on its way in an older one gets kCancelled.
  void attach(const sdbus::UnixFd& memory, sdbus::UnixFd doorbell);
  /// No ring will follow. Only the first reason counts.
  void end(const std::string& reason);

  [[nodiscard]] std::optional<FrameSlot> try_acquire();
  void count_given_up();
  std::uint64_t submit(FrameSlot slot, const Submission& submission);
  [[nodiscard]] std::optional<StreamResult> try_take();
  /// Negative: as long as it takes.
  [[nodiscard]] std::optional<StreamResult> wait(std::chrono::microseconds timeout);
  [[nodiscard]] int fd() const { return poll_.get(); }

 private:
  // These with the lock held:
  void check_alive() const;
  void listen();
  void drop_ring();
  std::optional<StreamResult> take();
  void cancel(std::uint64_t sequence);
  void wake() const;

  const StreamOptions options_;
  const sdbus::UnixFd poll_;  ///< an epoll set of the doorbell and wake_: what applications poll
  const sdbus::UnixFd wake_;  ///< an eventfd, rung where there is something to see but no bell
  mutable std::mutex mutex_;
  std::shared_ptr<Ring> ring_;  ///< empty while the service is away
  sdbus::UnixFd doorbell_;
  std::deque<StreamResult> finished_;  ///< of rings that are gone, and of frames that found none
  std::uint64_t next_sequence_ = 1;
  std::optional<std::string> ended_;
};

struct Stream::Impl {
  /// `on_result` may be empty; else it is called on a thread of its own.
  Impl(std::shared_ptr<StreamCore> its_core, std::function<void(const StreamResult&)> on_result);
  ~Impl();

  std::shared_ptr<StreamCore> core;
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();
  std::thread deliverer;
};

}  // namespace dofa::client
