// SPDX-License-Identifier: Apache-2.0
// stream: a folder of images at a camera's pace through a frame stream, decoded before the first frame, so
// that decoding does not disturb the pace. Video files and cameras are dofactl-video's.
#include <algorithm>
#include <cstring>
#include <filesystem>

#include "client/ctl/external.hpp"
#include "client/ctl/image.hpp"
#include "client/ctl/streaming.hpp"
#include "client/ctl/verbs.hpp"

namespace dofa::ctl {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostBytes = std::size_t{1} << 30;  // of decoded images held

struct Picture {
  fs::path file;
  Image image;
};

std::vector<Picture> read_folder(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  std::vector<Picture> pictures;
  std::size_t bytes = 0;
  for (const auto& file : files) {
    try {
      pictures.push_back({file, read_image(file)});
    } catch (const client::Error&) {
      throw;
    } catch (const std::runtime_error& error) {
      complain(file.string() + ": " + error.what());
      continue;
    }
    bytes += pictures.back().image.pixels.size();
    if (bytes > kMostBytes) throw std::runtime_error(folder.string() + ": its images take more than 1 GiB");
  }
  if (pictures.empty()) throw std::runtime_error(folder.string() + ": has no image that can be decoded");
  return pictures;
}

client::Submission::Shape shape_of(const Image& image) {
  return {.width = image.width, .height = image.height};
}

class Folder final : public FrameSource {
 public:
  Folder(const fs::path& path, bool loop) : pictures_(read_folder(path)), loop_(loop) {}

  [[nodiscard]] client::Submission::Shape largest() const override {
    return shape_of(std::ranges::max_element(pictures_, {}, bytes_of)->image);
  }
  bool drop_largest(const std::string& why) override {
    const auto largest = std::ranges::max_element(pictures_, {}, bytes_of);
    const std::string words = largest->file.string() + ": " + why;
    if (pictures_.size() == 1) throw std::runtime_error(words);
    complain(words);
    pictures_.erase(largest);
    return true;
  }
  [[nodiscard]] std::optional<double> rate() const override { return std::nullopt; }
  [[nodiscard]] bool live() const override { return false; }
  bool advance() override {
    if (current_ == nullptr || current_ == &pictures_.back()) {
      if (current_ != nullptr && !loop_) return false;
      current_ = pictures_.data();
    } else {
      ++current_;
    }
    return true;
  }
  client::Submission::Shape draw(std::span<std::byte> room) override {
    std::memcpy(room.data(), current_->image.pixels.data(), current_->image.pixels.size());
    return shape_of(current_->image);
  }

 private:
  static std::size_t bytes_of(const Picture& picture) { return picture.image.pixels.size(); }

  std::vector<Picture> pictures_;
  bool loop_;
  const Picture* current_ = nullptr;
};

/// "rtsp://…" and the like, or a camera's number.
bool names_no_file(const std::string& source) {
  return source.find("://") != source.npos || parse_integer(source).has_value();
}

}  // namespace

int run_stream(const Context& context) {
  const std::string& source = context.argument(0);
  std::error_code error;
  if (!names_no_file(source) && !fs::exists(source, error))
    throw std::runtime_error(source + ": is no folder, video file or camera");
  if (!fs::is_directory(source, error)) run_external("dofactl-video", context.words);
  const Ending ending;
  Folder folder(source, context.line.has("--loop"));
  return stream_frames(context, folder, ending);
}

}  // namespace dofa::ctl
