// SPDX-License-Identifier: Apache-2.0
// Image files as pixels. The decoders (OpenCV, which brings some 130 libraries along) are a module of their
// own that is loaded when the first image is read: no other verb waits for them to start. Stateless
// otherwise.
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
/// std::runtime_error with a reason that does not repeat the file's name; client::Error where there are no
/// decoders.
Image read_image(const std::filesystem::path& file);

/// What the module exports, under the name kDecoderSymbol: read_image() itself.
using ImageDecoder = void (*)(const char* file, Image& image);
inline constexpr const char* kDecoderModule = "dofa-image-decoder.so";
inline constexpr const char* kDecoderSymbol = "dofa_decode_image";

}  // namespace dofa::ctl
