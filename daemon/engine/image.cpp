// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/image.hpp"

#include <array>
#include <string>

namespace dofa::engine {
namespace {

constexpr std::array<std::string_view, 6> kNames{"rgb8", "bgr8", "gray8", "nv12", "yuyv", "float32-nchw"};

Error invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

bool needs_even_width(PixelFormat format) {
  return format == PixelFormat::kNv12 || format == PixelFormat::kYuyv;
}

/// Rows of all planes together; they all have the same stride.
std::uint64_t total_rows(const ImageLayout& layout) {
  switch (layout.format) {
    case PixelFormat::kNv12:
      return layout.height + layout.height / 2ULL;
    case PixelFormat::kFloat32Nchw:
      return layout.height * 3ULL;
    default:
      return layout.height;
  }
}

}  // namespace

Result<PixelFormat> parse_pixel_format(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<PixelFormat>(i);
  }
  return invalid("format must be rgb8, bgr8, gray8, nv12, yuyv or float32-nchw");
}

std::string_view pixel_format_name(PixelFormat format) {
  return kNames[static_cast<std::size_t>(format)];
}

std::uint64_t row_bytes(PixelFormat format, std::uint32_t width) {
  switch (format) {
    case PixelFormat::kRgb8:
    case PixelFormat::kBgr8:
      return width * 3ULL;
    case PixelFormat::kGray8:
    case PixelFormat::kNv12:
      return width;
    case PixelFormat::kYuyv:
      return width * 2ULL;
    case PixelFormat::kFloat32Nchw:
      return width * 4ULL;
  }
  return 0;
}

Result<std::uint64_t> check_layout(ImageLayout& layout) {
  const auto side_ok = [](std::uint32_t side) { return side >= 1 && side <= kMaxImageSide; };
  if (!side_ok(layout.width) || !side_ok(layout.height)) {
    return invalid("width and height must be 1 to " + std::to_string(kMaxImageSide) + " pixels, not " +
                   std::to_string(layout.width) + " x " + std::to_string(layout.height));
  }
  const std::string name(pixel_format_name(layout.format));
  if (needs_even_width(layout.format) && layout.width % 2 != 0) return invalid(name + " needs an even width");
  if (layout.format == PixelFormat::kNv12 && layout.height % 2 != 0)
    return invalid(name + " needs an even height");
  const std::uint64_t row = row_bytes(layout.format, layout.width);
  if (layout.stride == 0) layout.stride = static_cast<std::uint32_t>(row);
  if (layout.stride < row) {
    return invalid("stride " + std::to_string(layout.stride) + " is below a row's " + std::to_string(row) +
                   " bytes");
  }
  if (layout.format == PixelFormat::kFloat32Nchw && layout.stride != row) {
    return invalid("float32-nchw takes no padding between rows");
  }
  // The last row needs no padding behind it. At most 2^14 * 3 rows of 2^32 bytes: no overflow in 64 bits.
  return (total_rows(layout) - 1) * layout.stride + row;
}

}  // namespace dofa::engine
