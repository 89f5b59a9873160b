// SPDX-License-Identifier: Apache-2.0
// A tensor as a torch.save file holds it: a type, a shape, and a view of the file's bytes. The reader has
// checked that every element lies within `bytes`; whoever owns the file's bytes keeps them alive. Values
// only; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base.hpp"

namespace dofa::checkpoint {

enum class ElementType : std::uint8_t {
  kFloat32,
  kFloat64,
  kFloat16,
  kBFloat16,
  kInt64,
  kInt32,
  kInt16,
  kInt8,
  kUint8,
  kBool
};

std::size_t element_size(ElementType type);
std::string_view element_type_name(ElementType type);

struct Tensor {
  ElementType type = ElementType::kFloat32;
  std::vector<std::int64_t> shape;    ///< each >= 0; empty for a scalar
  std::vector<std::int64_t> strides;  ///< in elements, each >= 0
  std::span<const std::byte> bytes;   ///< from the first element to the last; little-endian
};

/// Elements of a tensor of this shape (1 for a scalar). The reader bounds it by the file's size.
std::int64_t element_count(const Tensor& tensor);
/// "[16, 1, 3, 3]"
std::string shape_text(const std::vector<std::int64_t>& shape);
/// The elements as float32 in row-major order; kInvalidArgument for integers and bool.
Result<std::vector<float>> to_floats(const Tensor& tensor);

}  // namespace dofa::checkpoint
