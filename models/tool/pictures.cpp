// SPDX-License-Identifier: Apache-2.0
#include "models/tool/pictures.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <opencv2/imgcodecs.hpp>
#include <sstream>

#include "models/tool/cifar10.hpp"
#include "models/tool/thin_out.hpp"

namespace dofa::tool {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHeldOutEvery = 10;  ///< pictures of a folder, of which one is for validation

Error not_found(const std::string& what) {
  return {ErrorCode::kNotFound, what};
}

bool is_picture(const fs::path& path) {
  static constexpr std::array<std::string_view, 9> kExtensions{".jpeg", ".jpg", ".png", ".webp", ".bmp",
                                                               ".ppm",  ".pgm", ".tif", ".tiff"};
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::ranges::find(kExtensions, extension) != kExtensions.end();
}

/// All pictures below a folder, in order of their paths.
std::vector<std::string> pictures_below(const fs::path& folder) {
  std::vector<std::string> paths;
  for (const auto& entry :
       fs::recursive_directory_iterator(folder, fs::directory_options::follow_directory_symlink))
    if (entry.is_regular_file() && is_picture(entry.path())) paths.push_back(entry.path().string());
  std::ranges::sort(paths);
  return paths;
}

Picture share(cv::Mat pixels) {
  const auto owner = std::make_shared<const cv::Mat>(std::move(pixels));
  const engine::ImageLayout layout{engine::PixelFormat::kBgr8, static_cast<std::uint32_t>(owner->cols),
                                   static_cast<std::uint32_t>(owner->rows),
                                   static_cast<std::uint32_t>(owner->step)};
  return {{reinterpret_cast<const std::byte*>(owner->data), layout}, owner};
}

struct LabelledFile {
  std::string path;
  std::optional<std::uint32_t> label;
};

/// Keeps the part of a folder's pictures that the split names; folders have no test split of their own.
void narrow(std::vector<LabelledFile>& files, const std::string& split) {
  if (split != "fit" && split != "validation") return;
  std::vector<LabelledFile> kept;
  for (std::size_t i = 0; i < files.size(); ++i)
    if ((i % kHeldOutEvery == kHeldOutEvery - 1) == (split == "validation"))
      kept.push_back(std::move(files[i]));
  files = std::move(kept);
}

class FilePictures final : public Pictures {
 public:
  explicit FilePictures(std::vector<LabelledFile> files) : files_(std::move(files)) {}
  std::size_t size() const override { return files_.size(); }
  Result<Picture> load(std::size_t index) override { return read_picture(files_[index].path); }
  std::optional<std::uint32_t> label(std::size_t index) const override { return files_[index].label; }

 private:
  std::vector<LabelledFile> files_;
};

/// Folder name to class index, from classes.txt.
Result<std::map<std::string, std::uint32_t>> read_classes(const fs::path& path) {
  std::ifstream file(path);
  std::map<std::string, std::uint32_t> classes;
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    std::istringstream words(line);
    std::string folder;
    std::int64_t index = -1;
    if (!(words >> folder)) continue;
    if (!(words >> index) || index < 0 || index > UINT32_MAX)
      return Error{ErrorCode::kInvalidArgument,
                   path.string() + ":" + std::to_string(number) + ": no class index"};
    classes[folder] = static_cast<std::uint32_t>(index);
  }
  return classes;
}

/// The class of each sub-folder that holds pictures.
Result<std::map<std::string, std::uint32_t>> folder_classes(const fs::path& root,
                                                            const std::vector<std::string>& class_names) {
  if (fs::exists(root / "classes.txt")) return read_classes(root / "classes.txt");
  std::vector<std::string> folders;
  for (const auto& entry : fs::directory_iterator(root))
    if (entry.is_directory()) folders.push_back(entry.path().filename().string());
  std::ranges::sort(folders);
  std::map<std::string, std::uint32_t> classes;
  for (const std::string& folder : folders) {
    const auto named = std::ranges::find(class_names, folder);
    if (named != class_names.end()) classes[folder] = static_cast<std::uint32_t>(named - class_names.begin());
  }
  if (classes.size() == folders.size()) return classes;
  for (std::size_t i = 0; i < folders.size(); ++i) classes[folders[i]] = static_cast<std::uint32_t>(i);
  return classes;
}

}  // namespace

Result<Picture> read_picture(const std::string& path) {
  cv::Mat pixels;
  try {
    pixels = cv::imread(path, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  } catch (const cv::Exception& fault) {  // sizes beyond OpenCV's limits
    return Error{ErrorCode::kInvalidArgument, path + ": " + fault.err};
  }
  if (pixels.empty()) return Error{ErrorCode::kInvalidArgument, path + ": not a picture that can be decoded"};
  return share(std::move(pixels));
}

Result<std::unique_ptr<Pictures>> open_pictures(const PictureQuery& query) {
  std::vector<LabelledFile> files;
  for (const std::string& path : query.paths) {
    if (!fs::exists(path)) return not_found(path + ": no such file or folder");
    if (!fs::is_directory(path)) {
      files.push_back({path, {}});
      continue;
    }
    if (query.paths.size() == 1 && is_cifar10(path, query.split)) return open_cifar10(query);
    for (std::string& file : pictures_below(path)) files.push_back({std::move(file), {}});
  }
  thin_out(files, query.limit);
  if (files.empty()) return not_found("no pictures found");
  return std::unique_ptr<Pictures>(std::make_unique<FilePictures>(std::move(files)));
}

Result<std::unique_ptr<Pictures>> open_labelled_pictures(const PictureQuery& query) {
  const fs::path root = query.paths.front();
  if (!fs::is_directory(root)) return not_found(root.string() + ": no such folder");
  if (is_cifar10(root.string(), query.split)) return open_cifar10(query);
  const auto classes = folder_classes(root, query.class_names);
  if (!classes) return classes.error();
  std::vector<LabelledFile> files;
  for (const auto& [folder, index] : *classes) {
    if (!fs::is_directory(root / folder)) return not_found((root / folder).string() + ": no such folder");
    for (std::string& file : pictures_below(root / folder)) files.push_back({std::move(file), index});
  }
  narrow(files, query.split);
  thin_out(files, query.limit);
  if (files.empty()) return not_found(root.string() + ": holds no labelled pictures");
  return std::unique_ptr<Pictures>(std::make_unique<FilePictures>(std::move(files)));
}

}  // namespace dofa::tool
