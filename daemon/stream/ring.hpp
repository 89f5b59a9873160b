// SPDX-License-Identifier: Apache-2.0
// The daemon's side of one frame ring. The application can write anywhere in the shared memory at any time:
// what counts is kept here (which slots are ours, the layout), the shared words are hints. visit() is for the
// stream thread and for idle lanes, one at a time; answers are written by whichever thread ends a frame. Each
// frame on its way holds the ring, so that its memory is unmapped only after the last worker has let go.
// Nothing is allocated between a frame and its answer.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "daemon/control/runtime.hpp"
#include "daemon/stream/frame_header.hpp"
#include "daemon/stream/layout.hpp"
#include "daemon/stream/shared_memory.hpp"
#include "proto/frame_ring.h"

namespace dofa::stream {

class Ring : public std::enable_shared_from_this<Ring> {
 public:
  Ring(control::Runtime& runtime, std::shared_ptr<control::Session> session, const RingLayout& layout,
       SharedMemory memory, control::UniqueFd doorbell);
  ~Ring();

  enum class Visit { kServed, kNuisance, kGone };
  /// Takes the bells off and submits every slot that is newly published. kNuisance: it keeps ringing without
  /// an acceptable frame; kGone: the application has hung up.
  Visit visit();
  /// Tells the application that the stream has ended. Frames on their way are answered into its memory all
  /// the same.
  void hang_up() const;
  /// The stream is over for its application: the pixels' pages are given back with the ring, also where the
  /// application keeps the memory open, which would be charged to us for as long. Results stay readable.
  void forget_pixels() { pixels_over_ = true; }
  /// True where the application's end is closed.
  [[nodiscard]] bool application_gone() const;

  [[nodiscard]] int doorbell() const { return doorbell_.get(); }
  [[nodiscard]] const control::Session& session() const { return *session_; }
  [[nodiscard]] std::uint64_t bytes() const { return layout_.bytes; }

 private:
  class SlotFrame;

  struct Bells {
    std::uint32_t count = 0;
    bool hung_up = false;
  };
  [[nodiscard]] Bells take_bells_off() const;
  void count_refused();
  bool take(std::uint32_t index);
  void answer(const SlotFrame& frame, const Error* error, const control::FrameAnswer& result);
  void publish(std::uint32_t index, const dofa_result& result);
  [[nodiscard]] std::byte* slot_at(std::uint32_t index) const;
  [[nodiscard]] dofa_slot& head_of(std::uint32_t index) const;

  control::Runtime& runtime_;
  const std::shared_ptr<control::Session> session_;
  const RingLayout layout_;
  const SharedMemory memory_;
  const control::UniqueFd doorbell_;
  std::vector<SlotFrame> frames_;  ///< by slot
  std::atomic<bool> pixels_over_ = false;
  std::mutex visiting_;          ///< guards what follows, and who takes a slot
  std::uint32_t next_ = 0;       ///< where to look first: behind the slot taken last
  std::uint32_t fruitless_ = 0;  ///< bells in a row that brought no frame
  std::uint64_t refused_ = 0;    ///< as the application last said
};

}  // namespace dofa::stream
