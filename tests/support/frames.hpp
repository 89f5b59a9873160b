// SPDX-License-Identifier: Apache-2.0
// Frames for tests: pixels of one colour, and sealed or unsealed memfds of any bytes.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <dofa/client.hpp>
#include <filesystem>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <span>
#include <stdexcept>
#include <vector>

namespace dofa::test {

class SolidFrame {
 public:
  SolidFrame(std::uint32_t width, std::uint32_t height, std::array<std::uint8_t, 3> rgb,
             std::uint32_t padding = 0)
      : width_(width), height_(height), stride_(width * 3 + padding), pixels_(std::size_t{height} * stride_) {
    for (std::uint32_t y = 0; y < height; ++y) {
      for (std::uint32_t x = 0; x < width * 3; ++x)
        pixels_[std::size_t{y} * stride_ + x] = std::byte{rgb[x % 3]};
    }
  }
  [[nodiscard]] client::Frame view() const {
    return {.pixels = pixels_, .width = width_, .height = height_, .stride = stride_};
  }
  void save(const std::filesystem::path& path) const {
    const cv::Vec3b bgr(static_cast<std::uint8_t>(pixels_[2]), static_cast<std::uint8_t>(pixels_[1]),
                        static_cast<std::uint8_t>(pixels_[0]));
    const cv::Mat image(static_cast<int>(height_), static_cast<int>(width_), CV_8UC3,
                        cv::Scalar(bgr[0], bgr[1], bgr[2]));
    if (!cv::imwrite(path.string(), image)) throw std::runtime_error(path.string() + ": cannot be written");
  }

 private:
  std::uint32_t width_;
  std::uint32_t height_;
  std::uint32_t stride_;
  std::vector<std::byte> pixels_;
};

/// Zeros without holes in a file descriptor of its own, closed with the object.
class Memfd {
 public:
  static constexpr int kAllSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

  explicit Memfd(std::size_t bytes, int seals = kAllSeals)
      : fd_(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
    if (fd_ < 0 || (bytes > 0 && posix_fallocate(fd_, 0, static_cast<off_t>(bytes)) != 0) ||
        fcntl(fd_, F_ADD_SEALS, seals) != 0) {
      throw std::runtime_error("memfd");
    }
  }
  ~Memfd() { close(fd_); }
  Memfd(const Memfd&) = delete;
  Memfd& operator=(const Memfd&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace dofa::test
