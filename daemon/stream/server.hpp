// SPDX-License-Identifier: Apache-2.0
// All frame streams, served by one thread that sleeps until a doorbell rings. Each round visits every ring
// that rang once, so no application can keep the thread for itself; one that keeps ringing for nothing is
// muted for a moment. An idle lane hears the bells of its sessions first and takes their frames itself, so
// that a frame need not wake two threads; the stream thread hears what no lane sleeps for.
// Thread-safe. Destroy it before the runtime; frames on their way keep their rings until they are answered.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "daemon/control/runtime.hpp"
#include "daemon/control/stream_gate.hpp"
#include "daemon/stream/ring.hpp"

namespace dofa::stream {

class Server final : public control::StreamGate, private control::BellListener {
 public:
  /// Throws std::system_error where the system has no descriptors left.
  explicit Server(control::Runtime& runtime);
  ~Server() override;  ///< hangs up on everybody
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  Result<control::StreamEnds> open_stream(const std::shared_ptr<control::Session>& session,
                                          const control::StreamRequest& request) override;
  void close_stream(const control::Session& session) override;
  [[nodiscard]] std::size_t streams() const;

 private:
  using StreamId = std::uint64_t;
  using Rings = std::map<StreamId, std::shared_ptr<Ring>>;
  struct Muted {
    StreamId id = 0;
    std::int64_t until_us = 0;
  };

  void serve();
  void rung(std::uint64_t id) override;  ///< on an idle lane's thread
  void visit(StreamId id, std::uint32_t events);
  bool unmute();  ///< whose time has come; true where others are still muted
  [[nodiscard]] std::shared_ptr<Ring> ring_of(StreamId id) const;
  [[nodiscard]] bool watch(int fd, StreamId id, std::uint32_t events) const;
  void nudge() const;
  // These with the lock held:
  /// The lanes are asked first.
  [[nodiscard]] bool listen_to(const Ring& ring, StreamId id);
  void stop_listening_to(const Ring& ring);
  void mute(StreamId id);
  [[nodiscard]] Rings::iterator stream_of(const control::Session& session);
  /// Takes a ring out and hangs up. Let go of it after the lock: unmapping a large one takes milliseconds.
  std::shared_ptr<Ring> forget(Rings::iterator at);
  [[nodiscard]] std::uint64_t bytes_of(std::uint32_t uid);
  Result<void> check_room(const control::Session& session, std::uint64_t bytes);

  control::Runtime& runtime_;
  control::UniqueFd epoll_;
  control::UniqueFd nudge_;  ///< wakes the stream thread: to stop, or because somebody was muted
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  StreamId next_id_ = 1;  ///< 0 stands for nudge_
  Rings rings_;
  std::vector<std::weak_ptr<Ring>>
      closing_;  ///< removed, but perhaps still held by frames: their memory counts
  std::vector<Muted> muted_;
  std::thread thread_;  ///< last: it uses everything above
};

}  // namespace dofa::stream
