// SPDX-License-Identifier: Apache-2.0
#include "client/ctl/video.hpp"

#include <cstring>
#include <opencv2/core/utils/logger.hpp>
#include <stdexcept>

#include "client/ctl/options.hpp"

namespace dofa::ctl {

namespace {

constexpr double kHighestRate = 1000;  // what a broken file may state beyond is no rate

bool is_camera(const std::string& source) {
  return parse_integer(source).has_value() || source.starts_with("/dev/video");
}

client::Submission::Shape shape_of(const cv::Mat& image) {
  return {.width = static_cast<std::uint32_t>(image.cols),
          .height = static_cast<std::uint32_t>(image.rows),
          .format = client::PixelFormat::kBgr8};
}

}  // namespace

Video::Video(const std::string& source, bool loop, std::optional<double> rate)
    : name_(source), loop_(loop), live_(is_camera(source) || source.find("://") != source.npos) {
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);  // what is wrong, we say ourselves
  const auto number = parse_integer(source);
  const bool open = number ? capture_.open(static_cast<int>(*number)) : capture_.open(source);
  if (!open) throw std::runtime_error(name_ + ": is no folder, video file or camera that can be read");
  if (rate && is_camera(source)) capture_.set(cv::CAP_PROP_FPS, *rate);
  // The first frame, not the container, says how large frames are.
  cv::Mat first;
  if (!capture_.grab() || !capture_.retrieve(first) || first.empty() || first.type() != CV_8UC3)
    throw std::runtime_error(name_ + ": has no frame that can be decoded");
  shape_ = shape_of(first);
  grabbed_ = true;
}

client::Submission::Shape Video::largest() const {
  return shape_;
}

std::optional<double> Video::rate() const {
  const double rate = capture_.get(cv::CAP_PROP_FPS);
  if (!(rate > 0 && rate <= kHighestRate)) return std::nullopt;
  return rate;
}

bool Video::advance() {
  if (grabbed_) {
    grabbed_ = false;
    return true;
  }
  if (capture_.grab()) return true;
  if (live_) throw std::runtime_error(name_ + ": brings no more frames");
  if (!loop_) return false;
  // Not every container can be wound back.
  return capture_.set(cv::CAP_PROP_POS_FRAMES, 0) && capture_.grab();
}

client::Submission::Shape Video::draw(std::span<std::byte> room) {
  cv::Mat image(static_cast<int>(shape_.height), static_cast<int>(shape_.width), CV_8UC3, room.data());
  if (!capture_.retrieve(image) || image.empty() || image.type() != CV_8UC3)
    throw std::runtime_error(name_ + ": a frame cannot be decoded");
  if (image.data == reinterpret_cast<unsigned char*>(room.data())) return shape_;
  // Of another size than the first, or the decoder brought memory of its own.
  const auto shape = shape_of(image);
  const std::size_t row = image.cols * image.elemSize();
  if (row * image.rows > room.size()) throw std::runtime_error(name_ + ": its frames grow on the way");
  for (int y = 0; y < image.rows; ++y) std::memcpy(room.data() + y * row, image.ptr(y), row);
  return shape;
}

}  // namespace dofa::ctl
