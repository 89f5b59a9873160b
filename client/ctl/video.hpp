// SPDX-License-Identifier: Apache-2.0
// A video file, network stream or camera as a source of frames, through OpenCV's videoio. Frames are decoded
// straight into the slot they are sent from.
#pragma once

#include <opencv2/videoio.hpp>
#include <string>

#include "client/ctl/frame_source.hpp"

namespace dofa::ctl {

class Video final : public FrameSource {
 public:
  /// `source`: a file, a URL, a camera's number or its device (/dev/video0). A file begins again at its end
  /// where `loop` says so; a camera is asked for `rate` frames a second. Throws std::runtime_error where
  /// nothing can be read from it.
  Video(const std::string& source, bool loop, std::optional<double> rate);

  [[nodiscard]] client::Submission::Shape largest() const override;
  [[nodiscard]] std::optional<double> rate() const override;
  [[nodiscard]] bool live() const override { return live_; }
  bool advance() override;
  client::Submission::Shape draw(std::span<std::byte> room) override;

 private:
  std::string name_;
  bool loop_;
  bool live_;
  cv::VideoCapture capture_;
  bool grabbed_ = false;  ///< the first frame, by the constructor
  client::Submission::Shape shape_;
};

}  // namespace dofa::ctl
