// SPDX-License-Identifier: Apache-2.0
#include "daemon/stream/layout.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "daemon/stream/shared_memory.hpp"
#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::stream;

extern "C" {
std::size_t dofa_c_result_bytes(void);
std::size_t dofa_c_message_offset(void);
void* dofa_c_pixels(dofa_ring* ring, std::uint32_t index);
}

namespace {

control::StreamRequest request_of(engine::PixelFormat format, std::uint32_t width, std::uint32_t height) {
  control::StreamRequest request;
  request.layout = {format, width, height, 0};
  return request;
}

void require_refusal(const control::StreamRequest& request, const config::LimitOptions& limits,
                     ErrorCode code, const std::string& named) {
  const auto layout = plan_ring(request, 1000, limits);
  REQUIRE_FALSE(layout.ok());
  CHECK(layout.error().code == code);
  INFO(layout.error().message);
  CHECK(layout.error().message.find(named) != std::string::npos);
}

}  // namespace

TEST_CASE("the parts of a slot follow one another, aligned and without overlap") {
  auto request = request_of(engine::PixelFormat::kNv12, 642, 482);
  request.slots = 3;
  request.top_k = 7;
  request.raw_output = GENERATE(false, true);
  const auto layout = plan_ring(request, 1001, {});
  REQUIRE(layout.ok());
  CHECK(layout->pixels_bytes == 642U * 482 * 3 / 2);
  CHECK(layout->raw_floats == (request.raw_output ? 1001U : 0U));
  CHECK(layout->pixels_offset >= sizeof(dofa_slot));
  CHECK(layout->result_offset >= layout->pixels_offset + layout->pixels_bytes);
  CHECK(layout->top_offset >= layout->result_offset + sizeof(dofa_result));
  CHECK(layout->raw_offset >= layout->top_offset + 7 * sizeof(dofa_top));
  CHECK(layout->slot_bytes >= layout->raw_offset + layout->raw_floats * sizeof(float));
  CHECK(layout->slots_offset >= sizeof(dofa_ring));
  CHECK(layout->bytes == layout->slots_offset + 3 * layout->slot_bytes);
  for (const std::uint64_t offset : {layout->pixels_offset, layout->result_offset, layout->raw_offset})
    CHECK(offset % 64 == 0);
  CHECK(layout->top_offset % alignof(dofa_top) == 0);
  for (const std::uint64_t offset : {layout->slots_offset, layout->slot_bytes, layout->bytes})
    CHECK(offset % 4096 == 0);
}

TEST_CASE("the head tells an application what the daemon works with") {
  auto request = request_of(engine::PixelFormat::kYuyv, 320, 240);
  request.raw_output = true;
  const auto layout = plan_ring(request, 10, {});
  REQUIRE(layout.ok());
  std::vector<std::uint64_t> memory(layout->bytes / 8);
  auto* ring = reinterpret_cast<dofa_ring*>(memory.data());
  *ring = describe(*layout);
  CHECK(dofa_ring_check(ring, layout->bytes) == 0);
  CHECK(dofa_ring_check(ring, layout->bytes - 1) == -1);
  CHECK(ring->format == DOFA_FORMAT_YUYV);
  CHECK(ring->stride == 640);
  CHECK(ring->slots == 4);
  auto* base = reinterpret_cast<char*>(ring);
  dofa_slot* slot = dofa_ring_slot(ring, 2);
  CHECK(reinterpret_cast<char*>(slot) - base ==
        static_cast<std::ptrdiff_t>(layout->slots_offset + 2 * layout->slot_bytes));
  CHECK(dofa_slot_pixels(ring, slot) == dofa_c_pixels(ring, 2));
  CHECK(reinterpret_cast<char*>(dofa_slot_raw(ring, slot)) + 10 * sizeof(float) <= base + layout->bytes);
  CHECK(dofa_c_result_bytes() == sizeof(dofa_result));
  CHECK(dofa_c_message_offset() == offsetof(dofa_result, message));
  ring->version = DOFA_RING_VERSION + 1;
  CHECK(dofa_ring_check(ring, layout->bytes) == -1);
}

TEST_CASE("what a stream may not be is refused by name") {
  const auto fitting = request_of(engine::PixelFormat::kRgb8, 640, 480);
  config::LimitOptions limits;
  auto request = fitting;
  request.slots = 0;
  require_refusal(request, limits, ErrorCode::kInvalidArgument, "'slots'");
  request.slots = limits.ring_slots + 1;
  require_refusal(request, limits, ErrorCode::kResourceExhausted, "limits.ring_slots");
  request = fitting;
  request.top_k = 101;
  require_refusal(request, limits, ErrorCode::kInvalidArgument, "'top-k'");
  require_refusal(request_of(engine::PixelFormat::kNv12, 641, 480), limits, ErrorCode::kInvalidArgument,
                  "even");
  require_refusal(request_of(engine::PixelFormat::kYuyv, 641, 480), limits, ErrorCode::kInvalidArgument,
                  "even");
  require_refusal(request_of(engine::PixelFormat::kNv12, 640, 481), limits, ErrorCode::kInvalidArgument,
                  "even");
  require_refusal(request_of(engine::PixelFormat::kRgb8, 0, 480), limits, ErrorCode::kInvalidArgument, "");
  limits.frame_bytes = 640 * 480 * 3 - 1;
  require_refusal(fitting, limits, ErrorCode::kResourceExhausted, "limits.frame_bytes");
  limits = {};
  limits.ring_bytes = 4 * 640 * 480 * 3;
  require_refusal(fitting, limits, ErrorCode::kResourceExhausted, "limits.ring_bytes");
  // Huge sides must not wrap around into something small.
  limits = {};
  limits.frame_bytes = 1ULL << 32;
  auto huge = request_of(engine::PixelFormat::kFloat32Nchw, 16384, 16384);
  huge.slots = limits.ring_slots;
  require_refusal(huge, limits, ErrorCode::kResourceExhausted, "limits.ring_bytes");
}

TEST_CASE("a ring's memory is zeroed and can neither shrink nor grow nor be sealed further") {
  auto memory = SharedMemory::create(8192);
  REQUIRE(memory.ok());
  for (std::uint64_t i = 0; i < memory->size(); ++i) REQUIRE(memory->data()[i] == std::byte{0});
  const control::UniqueFd fd = memory->take_fd();
  CHECK(fcntl(fd.get(), F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
  CHECK(ftruncate(fd.get(), 4096) != 0);
  CHECK(ftruncate(fd.get(), 16384) != 0);
  CHECK(fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE) != 0);
}
