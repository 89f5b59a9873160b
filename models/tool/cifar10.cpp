// SPDX-License-Identifier: Apache-2.0
#include "models/tool/cifar10.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "models/tool/thin_out.hpp"

namespace dofa::tool {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kSide = 32;
constexpr std::size_t kPlane = kSide * kSide;
constexpr std::size_t kRecord = 1 + 3 * kPlane;  // of a binary file
constexpr std::uint32_t kTilesPerRow = 100;      // of a mosaic, and rows of it
constexpr std::size_t kHeldOut = 5000;           // training pictures that choices are made on

struct BinaryFile {
  std::string path;
  std::string bytes;
};

/// What both forms share: pictures by file and index, with their classes.
class Cifar10 : public Pictures {
 public:
  /// Keeps what belongs to the split, and of that a few.
  void select(const PictureQuery& query) {
    const auto border = entries_.end() - static_cast<std::ptrdiff_t>(std::min(kHeldOut, entries_.size()));
    if (query.split == "fit") entries_.erase(border, entries_.end());
    if (query.split == "validation") entries_.erase(entries_.begin(), border);
    thin_out(entries_, query.limit);
  }
  std::size_t size() const override { return entries_.size(); }
  std::optional<std::uint32_t> label(std::size_t index) const override { return entries_[index].label; }

 protected:
  struct Entry {
    std::size_t file = 0;
    std::size_t index = 0;
    std::uint32_t label = 0;
  };
  std::vector<Entry> entries_;
};

class Binaries final : public Cifar10 {
 public:
  Result<void> add(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    BinaryFile file{path.string(), {std::istreambuf_iterator<char>(stream), {}}};
    if (file.bytes.empty() || file.bytes.size() % kRecord != 0)
      return Error{ErrorCode::kInvalidArgument, file.path + ": not a whole number of pictures of 3073 bytes"};
    for (std::size_t i = 0; i < file.bytes.size() / kRecord; ++i)
      entries_.push_back({files_.size(), i, static_cast<std::uint8_t>(file.bytes[i * kRecord])});
    files_.push_back(std::move(file));
    return {};
  }

  Result<Picture> load(std::size_t index) override {
    const Entry& entry = entries_[index];
    const char* planes = files_[entry.file].bytes.data() + entry.index * kRecord + 1;
    const auto pixels = std::make_shared<std::vector<std::byte>>(3 * kPlane);
    for (std::size_t i = 0; i < kPlane; ++i)
      for (std::size_t c = 0; c < 3; ++c)
        (*pixels)[3 * i + c] = static_cast<std::byte>(planes[c * kPlane + i]);
    return Picture{{pixels->data(), {engine::PixelFormat::kRgb8, kSide, kSide, 3 * kSide}}, pixels};
  }

 private:
  std::vector<BinaryFile> files_;
};

/// Each mosaic is decoded when its first tile is asked for.
class Mosaics final : public Cifar10 {
 public:
  Result<void> add(const fs::path& labels_path) {
    std::ifstream file(labels_path, std::ios::binary);
    const std::string labels((std::istreambuf_iterator<char>(file)), {});
    if (labels.empty() || labels.size() > std::size_t{kTilesPerRow} * kTilesPerRow)
      return Error{ErrorCode::kInvalidArgument,
                   labels_path.string() + ": not one byte for each of up to 10,000 tiles"};
    for (std::size_t i = 0; i < labels.size(); ++i)
      entries_.push_back({paths_.size(), i, static_cast<std::uint8_t>(labels[i])});
    paths_.push_back(fs::path(labels_path).replace_extension(".webp").string());
    mosaics_.emplace_back();
    return {};
  }

  Result<Picture> load(std::size_t index) override {
    const Entry& entry = entries_[index];
    Picture& mosaic = mosaics_[entry.file];
    if (mosaic.owner == nullptr) {
      auto decoded = read_picture(paths_[entry.file]);
      if (!decoded) return decoded.error();
      mosaic = std::move(*decoded);
    }
    const auto x = static_cast<std::uint32_t>(entry.index) % kTilesPerRow * kSide;
    const auto y = static_cast<std::uint32_t>(entry.index) / kTilesPerRow * kSide;
    const engine::ImageLayout& whole = mosaic.view.layout;
    if (x + kSide > whole.width || y + kSide > whole.height)
      return Error{ErrorCode::kInvalidArgument, paths_[entry.file] + ": has fewer tiles than labels"};
    const std::byte* corner = mosaic.view.data + std::size_t{y} * whole.stride + std::size_t{x} * 3;
    return Picture{{corner, {whole.format, kSide, kSide, whole.stride}}, mosaic.owner};
  }

 private:
  std::vector<std::string> paths_;
  std::vector<Picture> mosaics_;
};

/// Files of the split with this extension, sorted; the first of their kind tells what the folder is.
std::vector<fs::path> batches(const fs::path& folder, const std::string& split, const char* extension) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string stem = entry.path().stem().string();
    if (entry.path().extension() != extension) continue;
    if (extension == std::string(".bin") && !stem.starts_with("data_batch") && stem != "test_batch") continue;
    if (extension == std::string(".labels") && !fs::exists(fs::path(entry.path()).replace_extension(".webp")))
      continue;
    if (stem.starts_with("test") == (split == "test")) paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  return paths;
}

template <class Files>
Result<std::unique_ptr<Pictures>> open_batches(const std::vector<fs::path>& paths,
                                               const PictureQuery& query) {
  auto pictures = std::make_unique<Files>();
  for (const fs::path& path : paths)
    if (const auto added = pictures->add(path); !added) return added.error();
  pictures->select(query);
  return std::unique_ptr<Pictures>(std::move(pictures));
}

}  // namespace

bool is_cifar10(const std::string& folder, const std::string& split) {
  return !batches(folder, split, ".labels").empty() || !batches(folder, split, ".bin").empty();
}

Result<std::unique_ptr<Pictures>> open_cifar10(const PictureQuery& query) {
  const fs::path folder = query.paths.front();
  if (const auto mosaics = batches(folder, query.split, ".labels"); !mosaics.empty())
    return open_batches<Mosaics>(mosaics, query);
  return open_batches<Binaries>(batches(folder, query.split, ".bin"), query);
}

}  // namespace dofa::tool
