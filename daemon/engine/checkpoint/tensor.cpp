// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/checkpoint/tensor.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <numeric>

namespace dofa::checkpoint {
namespace {

struct TypeTraits {
  std::string_view name;
  std::size_t size;
};
constexpr std::array<TypeTraits, 10> kTypes{{{"float32", 4},
                                             {"float64", 8},
                                             {"float16", 2},
                                             {"bfloat16", 2},
                                             {"int64", 8},
                                             {"int32", 4},
                                             {"int16", 2},
                                             {"int8", 1},
                                             {"uint8", 1},
                                             {"bool", 1}}};
static_assert(kTypes.size() == static_cast<std::size_t>(ElementType::kBool) + 1);
static_assert(std::endian::native == std::endian::little, "files are little-endian and read in place");

/// IEEE 754 binary16 to binary32, exact for every value.
float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half & 0x8000U} << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1FU;
  const std::uint32_t fraction = half & 0x3FFU;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000U | (fraction << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  const float magnitude = static_cast<float>(fraction) * 0x1p-24F;  // zero and subnormals
  return sign != 0 ? -magnitude : magnitude;
}

template <class T>
T load(const std::byte* address) {
  T value;
  std::memcpy(&value, address, sizeof value);
  return value;
}

float load_float(ElementType type, const std::byte* address) {
  switch (type) {
    case ElementType::kFloat64:
      return static_cast<float>(load<double>(address));
    case ElementType::kFloat16:
      return half_to_float(load<std::uint16_t>(address));
    case ElementType::kBFloat16:
      return std::bit_cast<float>(std::uint32_t{load<std::uint16_t>(address)} << 16);
    default:
      return load<float>(address);
  }
}

}  // namespace

std::size_t element_size(ElementType type) {
  return kTypes.at(static_cast<std::size_t>(type)).size;
}
std::string_view element_type_name(ElementType type) {
  return kTypes.at(static_cast<std::size_t>(type)).name;
}

std::int64_t element_count(const Tensor& tensor) {
  return std::accumulate(tensor.shape.begin(), tensor.shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

Result<std::vector<float>> to_floats(const Tensor& tensor) {
  if (tensor.type > ElementType::kBFloat16)
    return Error{ErrorCode::kInvalidArgument,
                 "holds " + std::string(element_type_name(tensor.type)) + " where floating point is needed"};
  const std::int64_t count = element_count(tensor);
  std::vector<float> values(static_cast<std::size_t>(count));
  const std::size_t size = element_size(tensor.type);
  std::vector<std::int64_t> index(tensor.shape.size(), 0);
  std::int64_t element = 0;
  for (float& value : values) {
    value = load_float(tensor.type, tensor.bytes.data() + static_cast<std::size_t>(element) * size);
    for (std::size_t axis = index.size(); axis-- > 0;) {  // odometer over the shape, last axis fastest
      element += tensor.strides[axis];
      if (++index[axis] < tensor.shape[axis]) break;
      element -= tensor.strides[axis] * tensor.shape[axis];
      index[axis] = 0;
    }
  }
  return values;
}

}  // namespace dofa::checkpoint
