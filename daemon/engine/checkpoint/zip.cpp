// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/checkpoint/zip.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace dofa::checkpoint {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kDirectoryHeader = 0x02014b50;
constexpr std::uint32_t kEndOfDirectory = 0x06054b50;
constexpr std::uint32_t kZip64EndOfDirectory = 0x06064b50;
constexpr std::uint32_t kZip64Locator = 0x07064b50;
constexpr std::size_t kLocalHeaderSize = 30;
constexpr std::size_t kDirectoryHeaderSize = 46;
constexpr std::size_t kEndOfDirectorySize = 22;
constexpr std::size_t kZip64LocatorSize = 20;
constexpr std::size_t kZip64EndOfDirectorySize = 56;
constexpr std::uint16_t kZip64ExtraField = 0x0001;
constexpr std::uint16_t kPaddingExtraField = 0x4246;  // "FB", the tag torch.save pads with
constexpr std::size_t kAlignment = 64;

constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t remainder = i;
    for (int bit = 0; bit < 8; ++bit)
      remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? 0xEDB88320U : 0U);
    table[i] = remainder;
  }
  return table;
}();

/// Little-endian numbers at checked offsets; reading beyond the end gives nothing.
class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(bytes) {}
  [[nodiscard]] bool holds(std::uint64_t offset, std::uint64_t size) const {
    return offset <= bytes_.size() && size <= bytes_.size() - offset;
  }
  /// Only where holds() said yes.
  [[nodiscard]] std::uint64_t number(std::uint64_t offset, std::size_t size) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value |= std::uint64_t{std::to_integer<std::uint8_t>(bytes_[offset + i])} << (8 * i);
    return value;
  }
  [[nodiscard]] Bytes slice(std::uint64_t offset, std::uint64_t size) const {
    return bytes_.subspan(offset, size);
  }

 private:
  Bytes bytes_;
};

Error broken(const std::string& what) {
  return {ErrorCode::kInvalidArgument, "zip archive: " + what};
}

struct Directory {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t records = 0;
};

Result<Directory> find_directory(Bytes file) {
  const Reader reader(file);
  if (file.size() < kEndOfDirectorySize) return broken("truncated");
  const std::size_t farthest = std::min<std::size_t>(file.size(), kEndOfDirectorySize + 0xFFFF);
  for (std::size_t back = kEndOfDirectorySize; back <= farthest; ++back) {
    const std::size_t end = file.size() - back;
    if (reader.number(end, 4) != kEndOfDirectory || reader.number(end + 20, 2) != back - kEndOfDirectorySize)
      continue;
    Directory directory{reader.number(end + 16, 4), reader.number(end + 12, 4), reader.number(end + 10, 2)};
    if (end >= kZip64LocatorSize && reader.number(end - kZip64LocatorSize, 4) == kZip64Locator) {
      const std::uint64_t end64 = reader.number(end - kZip64LocatorSize + 8, 8);
      if (!reader.holds(end64, kZip64EndOfDirectorySize) || reader.number(end64, 4) != kZip64EndOfDirectory)
        return broken("zip64 directory record is missing");
      directory = {reader.number(end64 + 48, 8), reader.number(end64 + 40, 8), reader.number(end64 + 32, 8)};
    }
    if (!reader.holds(directory.offset, directory.size))
      return broken("directory lies beyond the end of the file");
    return directory;
  }
  return broken("truncated: no directory at its end");
}

struct Record {
  std::string name;
  std::uint64_t header_offset = 0;
  std::uint64_t size = 0;
  std::uint32_t crc = 0;
};

/// Replaces sizes and offset that a directory entry marks as "in the zip64 field" by that field's.
std::optional<Error> apply_zip64(Bytes extra, std::uint64_t& size, std::uint64_t& stored_size,
                                 std::uint64_t& offset) {
  const Reader reader(extra);
  for (std::size_t at = 0; reader.holds(at, 4);) {
    const std::uint64_t tag = reader.number(at, 2);
    const std::uint64_t length = reader.number(at + 2, 2);
    if (!reader.holds(at + 4, length)) return broken("extra field is truncated");
    if (tag == kZip64ExtraField) {
      std::uint64_t next = at + 4;
      for (std::uint64_t* value : {&size, &stored_size, &offset}) {
        if (*value != 0xFFFFFFFFU) continue;
        if (next + 8 > at + 4 + length) return broken("zip64 field is truncated");
        *value = reader.number(next, 8);
        next += 8;
      }
    }
    at += 4 + length;
  }
  return std::nullopt;
}

/// Parses the directory entry at `at` (relative to the directory) and moves `at` behind it.
Result<Record> read_entry(Bytes directory, std::uint64_t& at) {
  const Reader reader(directory);
  if (!reader.holds(at, kDirectoryHeaderSize) || reader.number(at, 4) != kDirectoryHeader)
    return broken("directory entry is damaged");
  const std::uint64_t flags = reader.number(at + 8, 2);
  const std::uint64_t method = reader.number(at + 10, 2);
  const std::uint64_t name_length = reader.number(at + 28, 2);
  const std::uint64_t extra_length = reader.number(at + 30, 2);
  const std::uint64_t comment_length = reader.number(at + 32, 2);
  if (!reader.holds(at + kDirectoryHeaderSize, name_length + extra_length + comment_length))
    return broken("directory entry is truncated");
  const Bytes name = reader.slice(at + kDirectoryHeaderSize, name_length);
  Record record{{reinterpret_cast<const char*>(name.data()), name.size()},
                reader.number(at + 42, 4),
                reader.number(at + 24, 4),
                static_cast<std::uint32_t>(reader.number(at + 16, 4))};
  std::uint64_t stored_size = reader.number(at + 20, 4);
  const Bytes extra = reader.slice(at + kDirectoryHeaderSize + name_length, extra_length);
  if (const auto error = apply_zip64(extra, record.size, stored_size, record.header_offset)) return *error;
  if ((flags & 1) != 0) return broken("record '" + record.name + "' is encrypted");
  if (method != 0)
    return broken("record '" + record.name + "' is compressed (method " + std::to_string(method) +
                  "); torch.save only stores");
  if (stored_size != record.size) return broken("record '" + record.name + "' has two sizes");
  at += kDirectoryHeaderSize + name_length + extra_length + comment_length;
  return record;
}

void append_number(std::vector<std::byte>& bytes, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) bytes.push_back(static_cast<std::byte>(value >> (8 * i)));
}

void append(std::vector<std::byte>& bytes, Bytes more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

}  // namespace

std::uint32_t crc32(Bytes bytes) {
  std::uint32_t remainder = 0xFFFFFFFFU;
  for (const std::byte byte : bytes)
    remainder = (remainder >> 8) ^ kCrcTable[(remainder ^ std::to_integer<std::uint32_t>(byte)) & 0xFFU];
  return ~remainder;
}

bool looks_like_zip(Bytes file) {
  return file.size() >= 4 && Reader(file).number(0, 4) == kLocalHeader;
}

Result<std::map<std::string, Bytes>> read_zip(Bytes file, bool verify_checksums) {
  const auto directory = find_directory(file);
  if (!directory) return directory.error();
  const Reader reader(file);
  const Bytes entries = reader.slice(directory->offset, directory->size);
  std::map<std::string, Bytes> records;
  std::uint64_t at = 0;
  std::uint64_t total = 0;
  for (std::uint64_t i = 0; i < directory->records; ++i) {
    const auto record = read_entry(entries, at);
    if (!record) return record.error();
    const std::uint64_t header = record->header_offset;
    if (!reader.holds(header, kLocalHeaderSize) || reader.number(header, 4) != kLocalHeader)
      return broken("record '" + record->name + "' is missing");
    const std::uint64_t start =
        header + kLocalHeaderSize + reader.number(header + 26, 2) + reader.number(header + 28, 2);
    if (!reader.holds(start, record->size))
      return broken("record '" + record->name + "' of " + std::to_string(record->size) +
                    " bytes reaches beyond the end of the file");
    total += record->size;
    if (total > file.size())
      return broken("records overlap");  // else many names of one record cost many CRCs
    const Bytes contents = reader.slice(start, record->size);
    if (verify_checksums && crc32(contents) != record->crc)
      return broken("record '" + record->name + "' is damaged (CRC-32 differs)");
    if (!records.emplace(record->name, contents).second)
      return broken("two records are named '" + record->name + "'");
  }
  return records;
}

void ZipWriter::add(const std::string& name, Bytes contents) {
  const std::size_t header_end = file_.size() + kLocalHeaderSize + name.size() + 4;
  const std::size_t padding = (kAlignment - header_end % kAlignment) % kAlignment;
  const Bytes name_bytes = std::as_bytes(std::span(name));
  std::vector<std::byte> common;         // the fields that local header and directory entry share
  append_number(common, 20, 2);          // needs version 2.0
  append_number(common, 0x0800, 2);      // names are UTF-8
  append_number(common, 0, 2);           // stored
  append_number(common, 0x00210000, 4);  // no time; 1980-01-01, so that equal contents give equal files
  append_number(common, crc32(contents), 4);
  append_number(common, contents.size(), 4);
  append_number(common, contents.size(), 4);
  append_number(common, name.size(), 2);

  append_number(directory_, kDirectoryHeader, 4);
  append_number(directory_, 20, 2);
  append(directory_, common);
  directory_.resize(directory_.size() + 12);  // no extra field, comment, disk or attributes
  append_number(directory_, file_.size(), 4);
  append(directory_, name_bytes);

  append_number(file_, kLocalHeader, 4);
  append(file_, common);
  append_number(file_, 4 + padding, 2);
  append(file_, name_bytes);
  append_number(file_, kPaddingExtraField, 2);
  append_number(file_, padding, 2);
  file_.resize(file_.size() + padding);
  append(file_, contents);
  ++records_;
}

std::vector<std::byte> ZipWriter::finish() {
  const std::size_t directory_offset = file_.size();
  append(file_, directory_);
  append_number(file_, kEndOfDirectory, 4);
  append_number(file_, 0, 4);  // one disk
  append_number(file_, records_, 2);
  append_number(file_, records_, 2);
  append_number(file_, directory_.size(), 4);
  append_number(file_, directory_offset, 4);
  append_number(file_, 0, 2);  // no comment
  directory_.clear();
  records_ = 0;
  return std::move(file_);
}

}  // namespace dofa::checkpoint
