// SPDX-License-Identifier: Apache-2.0
// The module behind read_image(): the one place that knows OpenCV.
#include "client/ctl/image.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <stdexcept>
#include <system_error>

namespace dofa::ctl {

namespace {

constexpr std::size_t kLargestFile = std::size_t{256} << 20;  // more is no photo but a mistake

std::vector<unsigned char> contents(const std::filesystem::path& file) {
  std::error_code ignored;
  const auto status = std::filesystem::status(file, ignored);
  if (std::filesystem::is_directory(status)) throw std::runtime_error("is a directory");
  // A pipe or a device could be waited for without end.
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    throw std::runtime_error("is no regular file");
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error(std::generic_category().message(errno));
  std::vector<unsigned char> data;
  std::vector<char> chunk(1 << 16);
  while (in.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || in.gcount() > 0) {
    data.insert(data.end(), chunk.begin(), chunk.begin() + in.gcount());
    if (data.size() > kLargestFile) throw std::runtime_error("is larger than 256 MiB");
  }
  if (data.empty()) throw std::runtime_error("is empty");
  return data;
}

/// While it lives, stderr goes nowhere: libpng and others write there what we say ourselves. Nobody else
/// writes meanwhile.
class Silence {
 public:
  Silence() : kept_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) {
    const int nowhere = kept_ < 0 ? -1 : ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0) return;
    ::dup2(nowhere, STDERR_FILENO);
    ::close(nowhere);
  }
  ~Silence() {
    if (kept_ < 0) return;
    ::dup2(kept_, STDERR_FILENO);
    ::close(kept_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  int kept_;
};

cv::Mat decode(const std::vector<unsigned char>& data) {
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);  // what is wrong, we say ourselves
  const Silence silence;
  try {
    return cv::imdecode(data, cv::IMREAD_COLOR);
  } catch (const cv::Exception& error) {
    // An assertion of OpenCV's, whose words help nobody.
    if (error.func == "validateInputImageSize") throw std::runtime_error("is too large to be decoded");
    return {};
  }
}

Image to_rgb8(const cv::Mat& bgr) {
  Image image{.pixels = std::vector<std::byte>(bgr.total() * 3),
              .width = static_cast<std::uint32_t>(bgr.cols),
              .height = static_cast<std::uint32_t>(bgr.rows)};
  std::byte* to = image.pixels.data();
  for (int y = 0; y < bgr.rows; ++y) {
    const auto* from = bgr.ptr<unsigned char>(y);
    for (int x = 0; x < bgr.cols; ++x, from += 3, to += 3) {
      to[0] = std::byte{from[2]};
      to[1] = std::byte{from[1]};
      to[2] = std::byte{from[0]};
    }
  }
  return image;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void dofa_decode_image(const char* file, Image& image) {
  const cv::Mat bgr = decode(contents(file));
  if (bgr.empty()) throw std::runtime_error("is not an image that can be decoded");
  image = to_rgb8(bgr);
}

}  // namespace dofa::ctl
