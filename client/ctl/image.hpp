// SPDX-License-Identifier: Apache-2.0
// Image files as pixels. Stateless.
#pragma once

#include <dofa/client_types.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace dofa::ctl {

struct Image {
  std::vector<std::byte> pixels;  ///< rgb8, rows without padding
  std::uint32_t width = 0;
  std::uint32_t height = 0;

  [[nodiscard]] client::Frame frame() const { return {.pixels = pixels, .width = width, .height = height}; }
};

/// Decodes a JPEG, PNG or WebP file (or whatever else OpenCV reads), upright as its EXIF data says. Throws
/// std::runtime_error with a reason that does not repeat the file's name.
Image read_image(const std::filesystem::path& file);

}  // namespace dofa::ctl
