// SPDX-License-Identifier: Apache-2.0
// The part of the zip format (PKWARE APPNOTE 6.3) that torch.save uses: stored records, with or without zip64
// fields. Reading trusts no number of the file: every offset and size is checked against its length, every
// record against its CRC-32. Values only; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "daemon/base.hpp"

namespace dofa::checkpoint {

using Bytes = std::span<const std::byte>;

std::uint32_t crc32(Bytes bytes);

/// Whether the file begins as a zip archive does.
bool looks_like_zip(Bytes file);

/// Record names to their contents, which are views into `file`. Refused (kInvalidArgument): truncated or
/// overlapping the directory, compressed, encrypted, duplicate names, a CRC that does not match (with
/// `verify_checksums`).
Result<std::map<std::string, Bytes>> read_zip(Bytes file, bool verify_checksums = true);

/// A zip archive under construction: stored records whose contents begin at multiples of 64 bytes, as
/// torch.save aligns them. Records and archive must stay below 4 GiB (no zip64 is written).
class ZipWriter {
 public:
  void add(const std::string& name, Bytes contents);
  /// Ends the archive; the writer is empty afterwards.
  std::vector<std::byte> finish();

 private:
  std::vector<std::byte> file_;
  std::vector<std::byte> directory_;
  std::uint16_t records_ = 0;
};

}  // namespace dofa::checkpoint
