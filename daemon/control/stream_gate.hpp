// SPDX-License-Identifier: Apache-2.0
// What whoever talks to applications (the bus) needs of whoever serves their frame streams, so that neither
// knows the other. Implementations are thread-safe.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "daemon/base.hpp"
#include "daemon/engine/image.hpp"

namespace dofa::control {

class Session;

/// A file descriptor that closes itself; -1 = none.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd() {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// What an application wants of a stream; ranges are checked by open_stream().
struct StreamRequest {
  engine::ImageLayout layout;  ///< its size in bytes is the most a frame may have
  std::uint32_t slots = 4;
  std::uint32_t top_k = 5;
  bool raw_output = false;
};

/// What the application gets: the ring's memory and its end of the doorbell.
struct StreamEnds {
  UniqueFd ring;
  UniqueFd doorbell;
};

/// Told on an idle lane's thread that a doorbell rang, and perhaps nobody else: it must take the bell off.
/// Must be short.
class BellListener {
 public:
  virtual ~BellListener() = default;
  virtual void rung(std::uint64_t id) = 0;
};

class StreamGate {
 public:
  virtual ~StreamGate() = default;
  /// kInvalidArgument (layout, slots, top-k), kResourceExhausted (names the limit), kBusy (the session has a
  /// stream), kCancelled (the session is closed).
  virtual Result<StreamEnds> open_stream(const std::shared_ptr<Session>& session,
                                         const StreamRequest& request) = 0;
  /// Hangs up the stream of a session, if it has one. Frames on their way are answered first.
  virtual void close_stream(const Session& session) = 0;
};

}  // namespace dofa::control
