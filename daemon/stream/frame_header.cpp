// SPDX-License-Identifier: Apache-2.0
#include "daemon/stream/frame_header.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <iterator>
#include <string>

#include "daemon/policy/contract.hpp"

namespace dofa::stream {
namespace {

using engine::PixelFormat;

// The wire's numbers are the engine's.
static_assert(DOFA_FORMAT_RGB8 == static_cast<int>(PixelFormat::kRgb8));
static_assert(DOFA_FORMAT_BGR8 == static_cast<int>(PixelFormat::kBgr8));
static_assert(DOFA_FORMAT_GRAY8 == static_cast<int>(PixelFormat::kGray8));
static_assert(DOFA_FORMAT_NV12 == static_cast<int>(PixelFormat::kNv12));
static_assert(DOFA_FORMAT_YUYV == static_cast<int>(PixelFormat::kYuyv));
static_assert(DOFA_FORMAT_FLOAT32_NCHW == static_cast<int>(PixelFormat::kFloat32Nchw));

Error invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

}  // namespace

dofa_frame copy_frame_header(const dofa_frame& shared) {
  std::array<std::uint64_t, sizeof(dofa_frame) / sizeof(std::uint64_t)> words{};
  const auto* from = reinterpret_cast<const std::uint64_t*>(&shared);
  // Atomic loads, or the compiler might read a field again where it is used.
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
  return std::bit_cast<dofa_frame>(words);
}

Result<FrameHeader> check_frame_header(const dofa_frame& header, std::uint64_t pixels_bytes) {
  if (header.format > DOFA_FORMAT_FLOAT32_NCHW) {
    return invalid("there is no pixel format " + std::to_string(header.format));
  }
  if (header.deadline_us > static_cast<std::uint64_t>(policy::kMaxContractTimeUs)) {
    return invalid("a deadline may be at most " + std::to_string(policy::kMaxContractTimeUs) + " us away");
  }
  if (std::any_of(std::begin(header.reserved), std::end(header.reserved),
                  [](auto byte) { return byte != 0; })) {
    return invalid("the header's reserved bytes must be zero");
  }
  FrameHeader checked;
  checked.layout = {static_cast<PixelFormat>(header.format), header.width, header.height, header.stride};
  const auto bytes = engine::check_layout(checked.layout);
  if (!bytes) return bytes.error();
  if (*bytes > pixels_bytes) {
    return invalid("the frame needs " + std::to_string(*bytes) + " bytes, its slot has " +
                   std::to_string(pixels_bytes));
  }
  checked.deadline_us = static_cast<std::int64_t>(header.deadline_us);
  return checked;
}

}  // namespace dofa::stream
