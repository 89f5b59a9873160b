// SPDX-License-Identifier: Apache-2.0
// Pictures for calibration and evaluation: single files, folders of them, labelled folders, and CIFAR-10 as
// mosaics of 100 x 100 tiles or in its own binary files. Decoding is OpenCV's, as the file has them (no EXIF
// rotation, as PIL and torchvision do). Single-threaded.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/engine/image.hpp"

namespace dofa::tool {

/// Pixels and what keeps them alive.
struct Picture {
  engine::ImageView view;
  std::shared_ptr<const void> owner;
};

class Pictures {
 public:
  virtual ~Pictures() = default;
  [[nodiscard]] virtual std::size_t size() const = 0;
  virtual Result<Picture> load(std::size_t index) = 0;
  /// The class of a picture; nothing where pictures are not labelled.
  [[nodiscard]] virtual std::optional<std::uint32_t> label(std::size_t index) const = 0;
};

/// Where to look and how much of it to take.
struct PictureQuery {
  std::vector<std::string> paths;
  std::string split;                     ///< CIFAR-10 folders: "train", "test", or the two parts of "train":
                                         ///< "validation" and "fit", its last 5,000 and the others; labelled
                                         ///< folders: "validation" is every tenth picture, "fit" the others
  std::size_t limit = 0;                 ///< 0: all; otherwise spread evenly over what is there
  std::vector<std::string> class_names;  ///< a family's labels; name a folder of pictures for its class
};

/// Unlabelled: files, and folders with all pictures below them. kNotFound where nothing is found.
Result<std::unique_ptr<Pictures>> open_pictures(const PictureQuery& query);

/// One labelled folder: CIFAR-10 (see cifar10.hpp); or one sub-folder a class, told
/// by classes.txt (lines of folder, class index, name), else by the family's labels, else numbered in order
/// of their names.
Result<std::unique_ptr<Pictures>> open_labelled_pictures(const PictureQuery& query);

/// Decodes one file.
Result<Picture> read_picture(const std::string& path);

}  // namespace dofa::tool
