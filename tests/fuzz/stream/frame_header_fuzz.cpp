// SPDX-License-Identifier: Apache-2.0
// A frame header of any bytes: what the check lets through must stay inside the slot's room, whatever it
// claims. The pixels lie in a block of exactly that room, so that AddressSanitizer sees the first byte too
// far.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "daemon/engine/preprocess.hpp"
#include "daemon/stream/frame_header.hpp"

using namespace dofa;

namespace {

constexpr std::uint32_t kSide = 16;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dofa_frame header{};
  std::uint16_t room = 0;
  if (size < sizeof header + sizeof room) return 0;
  std::memcpy(&header, data, sizeof header);
  std::memcpy(&room, data + sizeof header, sizeof room);
  const dofa_frame copy = stream::copy_frame_header(header);
  if (std::memcmp(&copy, &header, sizeof copy) != 0) std::abort();
  const auto checked = stream::check_frame_header(copy, room);
  if (!checked) return 0;
  const std::vector<std::byte> pixels(room);
  static engine::Preprocessor preprocessor({1.0F, {0, 0, 0}, {1, 1, 1}});
  std::vector<float> input(3ULL * kSide * kSide);
  (void)preprocessor.run({pixels.data(), checked->layout}, kSide,
                         input);  // odd float32-nchw sizes are refused here
  return 0;
}
