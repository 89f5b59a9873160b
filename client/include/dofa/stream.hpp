// SPDX-License-Identifier: Apache-2.0
// Frame streams: pixels through shared memory, for applications that send more than a few frames a second.
//
//   auto stream = session.open_stream({.width = 640, .height = 480});
//   if (auto slot = stream.try_acquire()) {      // empty: the service is behind
//     draw_into(slot->pixels());                 // the memory that the service reads: no copy
//     stream.submit(std::move(*slot));
//   }
//   if (auto result = stream.wait(100ms)) use(*result);
//
// Results are had in one of three ways: wait() blocks; fd() can be polled together with other descriptors and
// try_take() asks without waiting; or a handler given to Session::open_stream() is called for each.
//
// A frame that was submitted gets exactly one result, whatever happens. When the service restarts, those on
// their way get kCancelled; until the stream is there again (fd() stays the same) try_acquire() is empty. The
// session's handlers `lost` and `reopened` tell.
//
// Thread-safety: as in client.hpp; a FrameSlot belongs to one thread at a time. Slots and results stay valid
// when their stream goes. Every call throws dofa::client::Error.
#pragma once

#include <dofa/client_types.hpp>

#include <chrono>
#include <functional>
#include <memory>

namespace dofa::client {

class Ring;
class StreamCore;

/// A stream's format: of its largest frame. What is left out is the service's default.
struct StreamOptions {
  std::uint32_t width = 0;   ///< pixels
  std::uint32_t height = 0;  ///< pixels
  PixelFormat format = PixelFormat::kRgb8;
  std::uint32_t stride = 0;                 ///< bytes from row to row; 0 = no padding
  std::optional<std::uint32_t> slots = {};  ///< frames in flight; default 4
  std::optional<std::uint32_t> top_k = {};  ///< 1..100; default 5
  bool raw_output = false;                  ///< also the network's outputs before softmax
};

/// What is particular about one frame.
struct Submission {
  struct Shape {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    PixelFormat format = PixelFormat::kRgb8;
    std::uint32_t stride = 0;
  };
  std::optional<Shape> shape = {};  ///< where it is not the stream's; it must fit into the same room
  std::uint64_t deadline_us = 0;    ///< from now, only later than the contract's; 0 = the contract's
};

/// A free place in the ring, to draw a frame into. Movable; one that is not submitted becomes free again.
class DOFA_CLIENT_API FrameSlot {
 public:
  FrameSlot(FrameSlot&& other) noexcept;
  FrameSlot& operator=(FrameSlot&& other) noexcept;
  ~FrameSlot();

  /// All the room there is: at least the stream's format, aligned to 64 bytes. Holds an older frame.
  [[nodiscard]] std::span<std::byte> pixels() const;

 private:
  friend class StreamCore;
  FrameSlot(std::shared_ptr<Ring> ring, std::uint32_t index);
  void give_back();
  std::shared_ptr<Ring> ring_;
  std::uint32_t index_ = 0;
};

/// What became of one frame.
struct StreamResult {
  std::uint64_t sequence = 0;       ///< as submit() returned it
  std::optional<Error> error = {};  ///< why there is no answer; the rest counts only without one
  std::vector<Score> top = {};      ///< best first
  std::uint32_t level = 0;
  std::string processor = {};
  bool late = false;             ///< answered after its deadline
  bool background = false;       ///< above the contract's rate: served when nothing else waited
  std::uint64_t arrival_us = 0;  ///< CLOCK_MONOTONIC when the service saw it
  std::uint64_t queue_us = 0;    ///< from there to the start of its preparation
  std::uint64_t service_us = 0;  ///< from there to the answer
  std::uint64_t preprocess_us = 0;
  std::uint64_t inference_us = 0;
  /// Outputs before softmax, in the ring itself: the slot is free again when `raw_slot` and its copies go.
  std::span<const float> raw = {};
  std::shared_ptr<const void> raw_slot = {};
};

/// A session's stream. Movable; it ends with its object or with its session.
class DOFA_CLIENT_API Stream {
 public:
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;
  ~Stream();

  /// A free slot; empty where the service is behind or away. Throws kCancelled once the session has ended.
  [[nodiscard]] std::optional<FrameSlot> try_acquire();
  /// Counts a frame that was given up because try_acquire() was empty, for the session's statistics.
  void count_given_up();
  /// Hands the frame to the service. Its sequence number: 1, 2, … in the order of the calls.
  std::uint64_t submit(FrameSlot slot, const Submission& submission = {});

  /// A result that is there; of several, the earliest submitted. Throws kCancelled once the session has ended
  /// and nothing is left.
  [[nodiscard]] std::optional<StreamResult> try_take();
  /// The same, waiting for at most `timeout`.
  [[nodiscard]] std::optional<StreamResult> wait(std::chrono::microseconds timeout);
  /// Readable (POLLIN) while there may be a result: then call try_take(). For polling only.
  [[nodiscard]] int fd() const;

 private:
  friend class Session;
  struct Impl;
  explicit Stream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dofa::client
