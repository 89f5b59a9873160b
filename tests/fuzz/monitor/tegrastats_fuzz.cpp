// SPDX-License-Identifier: Apache-2.0
// A stream of tegrastats output in pieces of any size: what comes out must be bounded, printable and
// repeatable.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "daemon/monitor/tegrastats.hpp"
#include "daemon/monitor/tegrastats_process.hpp"

using namespace dofa::monitor;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece_size = data[0] + 1U;
  std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  NewestLine lines;
  while (!stream.empty()) {
    const auto text = lines.feed(stream.substr(0, piece_size));
    stream.remove_prefix(std::min(piece_size, stream.size()));
    if (!text) continue;
    if (text->size() > NewestLine::kLongestLine || text->find('\n') != std::string_view::npos) std::abort();
    const std::string json = tegrastats_json(parse_tegrastats(*text));
    // Names come from the input: nothing in them may break out of its string.
    const bool printable = std::all_of(json.begin(), json.end(), [](char c) { return c >= ' ' && c <= '~'; });
    if (!printable || json.find('\\') != std::string::npos ||
        std::count(json.begin(), json.end(), '"') % 2 != 0) {
      std::abort();
    }
    if (json != tegrastats_json(parse_tegrastats(*text))) std::abort();
  }
  return 0;
}
