// SPDX-License-Identifier: Apache-2.0
// Where the frames of `dofactl stream` come from: a folder, a video file, a camera. One thread's.
#pragma once

#include <dofa/stream.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace dofa::ctl {

class FrameSource {
 public:
  FrameSource() = default;
  virtual ~FrameSource() = default;
  FrameSource(const FrameSource&) = delete;
  FrameSource& operator=(const FrameSource&) = delete;

  /// Of its largest frame.
  [[nodiscard]] virtual client::Submission::Shape largest() const = 0;
  /// Leaves the largest out, for the reason given: the service takes no frame of its size. False where there
  /// is nothing to leave out. Before the first advance().
  virtual bool drop_largest(const std::string& /*why*/) { return false; }
  /// Frames a second as the source states them; nothing where it has no pace of its own.
  [[nodiscard]] virtual std::optional<double> rate() const = 0;
  /// True for a camera: advance() waits for its next frame.
  [[nodiscard]] virtual bool live() const = 0;
  /// Goes to the next frame; false at the end. Throws std::runtime_error.
  virtual bool advance() = 0;
  /// Draws the current frame into `room`, which holds at least largest(): its shape.
  virtual client::Submission::Shape draw(std::span<std::byte> room) = 0;
};

}  // namespace dofa::ctl
