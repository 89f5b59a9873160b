// SPDX-License-Identifier: Apache-2.0
#include "daemon/stream/layout.hpp"

#include <string>

namespace dofa::stream {
namespace {

constexpr std::uint64_t kPage = 4096;     // slots start on pages, so that no two frames share one
constexpr std::uint64_t kCacheLine = 64;  // pixels and results start on cache lines of their own

constexpr std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

Error above(const char* limit, std::uint64_t value, std::uint64_t allowed, const char* unit) {
  return {ErrorCode::kResourceExhausted, std::string("limits.") + limit + ": " + std::to_string(value) + " " +
                                             unit + " are more than " + std::to_string(allowed)};
}

}  // namespace

Result<RingLayout> plan_ring(const control::StreamRequest& request, std::uint32_t classes,
                             const config::LimitOptions& limits) {
  if (request.slots == 0) return Error{ErrorCode::kInvalidArgument, "'slots' must be at least 1"};
  if (request.top_k == 0 || request.top_k > control::kMaxTop) {
    return Error{ErrorCode::kInvalidArgument,
                 "'top-k' must be from 1 to " + std::to_string(control::kMaxTop)};
  }
  if (request.slots > limits.ring_slots)
    return above("ring_slots", request.slots, limits.ring_slots, "slots");
  RingLayout layout;
  layout.image = request.layout;
  const auto pixels = engine::check_layout(layout.image);
  if (!pixels) return pixels.error();
  if (*pixels > limits.frame_bytes) return above("frame_bytes", *pixels, limits.frame_bytes, "bytes");
  layout.slots = request.slots;
  layout.top_k = request.top_k;
  layout.raw_floats = request.raw_output ? classes : 0;
  layout.slots_offset = kPage;
  layout.pixels_offset = round_up(sizeof(dofa_slot), kCacheLine);
  layout.pixels_bytes = *pixels;
  layout.result_offset = round_up(layout.pixels_offset + *pixels, kCacheLine);
  layout.top_offset = layout.result_offset + sizeof(dofa_result);
  layout.raw_offset = round_up(layout.top_offset + layout.top_k * sizeof(dofa_top), kCacheLine);
  layout.slot_bytes = round_up(layout.raw_offset + layout.raw_floats * sizeof(float), kPage);
  layout.bytes = layout.slots_offset + layout.slots * layout.slot_bytes;
  if (layout.bytes > limits.ring_bytes) return above("ring_bytes", layout.bytes, limits.ring_bytes, "bytes");
  return layout;
}

dofa_ring describe(const RingLayout& layout) {
  dofa_ring ring{};
  ring.magic = DOFA_RING_MAGIC;
  ring.version = DOFA_RING_VERSION;
  ring.bytes = layout.bytes;
  ring.slots = layout.slots;
  ring.top_k = layout.top_k;
  ring.raw_floats = layout.raw_floats;
  ring.format = static_cast<std::uint32_t>(layout.image.format);
  ring.width = layout.image.width;
  ring.height = layout.image.height;
  ring.stride = layout.image.stride;
  ring.slots_offset = layout.slots_offset;
  ring.slot_bytes = layout.slot_bytes;
  ring.pixels_offset = layout.pixels_offset;
  ring.result_offset = layout.result_offset;
  ring.top_offset = layout.top_offset;
  ring.raw_offset = layout.raw_offset;
  ring.pixels_bytes = layout.pixels_bytes;
  return ring;
}

}  // namespace dofa::stream
