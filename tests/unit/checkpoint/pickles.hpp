// SPDX-License-Identifier: Apache-2.0
// Pickles and files made by hand for the tests, opcode by opcode, so that the reader is held against Python's
// format and not against our writer.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "daemon/engine/checkpoint/checkpoint.hpp"
#include "daemon/engine/checkpoint/zip.hpp"

namespace dofa::checkpoint::test {

inline std::string little_endian(std::uint64_t value, int size) {
  std::string text;
  for (int i = 0; i < size; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

inline std::string text(const std::string& value) {
  return "X" + little_endian(value.size(), 4) + value;
}  // BINUNICODE
inline std::string integer(std::int64_t value) {
  return "\x8a\x08" + little_endian(static_cast<std::uint64_t>(value), 8);
}
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string tuple(const std::string& items) {
  return "(" + items + "t";
}
inline std::string integers(const std::vector<std::int64_t>& values) {
  std::string items;
  for (const auto value : values) items += integer(value);
  return tuple(items);
}

/// persistent_load(('storage', torch.<type>Storage, key, 'cpu', elements<more>))
inline std::string storage(const std::string& type, const std::string& key, std::int64_t elements,
                           const std::string& more = "") {
  return tuple(text("storage") + global("torch", type + "Storage") + text(key) + text("cpu") +
               integer(elements) + more) +
         "Q";
}

/// torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, False, OrderedDict())
inline std::string tensor(const std::string& of, std::int64_t offset, const std::vector<std::int64_t>& shape,
                          const std::vector<std::int64_t>& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple(of + integer(offset) + integers(shape) + integers(strides) + "\x89" +
               global("collections", "OrderedDict") + ")R") +
         "R";
}

/// A dict of one entry as Python writes it: SETITEM, which LibTorch 1.13 does not know.
inline std::string single(const std::string& key, const std::string& value) {
  return "}" + text(key) + value + "s";
}
inline std::string pickle(const std::string& value) {
  return "\x80\x02" + value + ".";
}

inline std::vector<std::byte> bytes(const std::string& content) {
  const auto* begin = reinterpret_cast<const std::byte*>(content.data());
  return {begin, begin + content.size()};
}
template <class Number>
std::string numbers(const std::vector<Number>& values) {
  std::string content(values.size() * sizeof(Number), '\0');
  if (!values.empty()) std::memcpy(content.data(), values.data(), content.size());
  return content;
}

/// A zip file with this data.pkl and storages "0", "1", …
inline std::vector<std::byte> zip_file(const std::string& data, const std::vector<std::string>& storages) {
  ZipWriter zip;
  zip.add("archive/data.pkl", bytes(data));
  for (std::size_t i = 0; i < storages.size(); ++i)
    zip.add("archive/data/" + std::to_string(i), bytes(storages[i]));
  return zip.finish();
}

/// A legacy file: magic, protocol, machine, object, storage keys, storages (each with its element count in
/// front).
inline std::vector<std::byte> legacy_file(const std::string& object, const std::string& key,
                                          std::int64_t elements, const std::string& numbers) {
  return bytes(pickle("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") + pickle("M\xe9\x03") +
               pickle(single("little_endian", "\x88")) + pickle(object) + pickle("](" + text(key) + "e") +
               little_endian(static_cast<std::uint64_t>(elements), 8) + numbers);
}

inline std::string error_of(std::vector<std::byte> file) {
  const auto result = parse_checkpoint(std::move(file));
  return result ? "no error" : result.error().message;
}

}  // namespace dofa::checkpoint::test
