// SPDX-License-Identifier: Apache-2.0
// A restricted machine for Python's pickle protocols 2 to 4, as far as torch.save uses them. It builds
// numbers, strings, tuples, lists, dicts and descriptions of tensors, and can call nothing: a global that is
// not one of torch's own tensor and storage names is refused by name ("refused global os.system"). Objects
// live in an arena and refer to each other by index, so neither depth nor cycles nor sharing cost more than
// the pickle's length. Values only; thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/engine/checkpoint/tensor.hpp"

namespace dofa::checkpoint {

/// Longest pickle that is read and most objects it may make; a real supernet's are 60 KB and 10,000. Together
/// they bound memory and time whatever the pickle says.
inline constexpr std::size_t kMaxPickleBytes = std::size_t{8} << 20;
inline constexpr std::size_t kMaxPickleObjects = std::size_t{1} << 20;

enum class Kind : std::uint8_t {
  kNone,
  kBool,
  kInteger,
  kLong,
  kFloat,
  kString,
  kTuple,
  kList,
  kDict,
  kGlobal,
  kStorage,
  kTensor
};

using ObjectId = std::uint32_t;

/// One Python object; which members mean something depends on `kind`.
struct Object {
  Kind kind = Kind::kNone;
  ElementType type{};             ///< storage, and a global that names a storage class
  std::int64_t integer = 0;       ///< bool, integer; tensor: offset in elements; storage: elements
  double number = 0;              ///< float
  std::string text{};             ///< string, global "module.name", long's little-endian bytes, storage's key
  std::vector<ObjectId> items{};  ///< tuple, list; dict: key, value, key, value, …
  std::vector<std::int64_t> shape{}, strides{};  ///< tensor
  ObjectId storage = 0;                          ///< tensor
  std::int64_t storage_offset = 0;               ///< storage: where a view into its root begins, in elements
};

/// A pickle's objects; `root` is what it describes.
struct Pickle {
  std::vector<Object> objects;
  ObjectId root = 0;
  std::size_t size = 0;  ///< bytes up to and including its end: legacy files hold several in a row

  [[nodiscard]] const Object& operator[](ObjectId id) const { return objects[id]; }
  /// The value under a string key of a dict; nullptr where there is none.
  [[nodiscard]] const Object* find(const Object& dict, std::string_view key) const;
};

/// Runs the pickle that `bytes` begins with. kInvalidArgument with what was refused or is malformed, and
/// where.
Result<Pickle> read_pickle(std::span<const std::byte> bytes);

}  // namespace dofa::checkpoint
