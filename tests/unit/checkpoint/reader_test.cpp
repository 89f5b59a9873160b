// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "tests/support/catch.hpp"
#include "tests/unit/checkpoint/pickles.hpp"

using namespace dofa::checkpoint;
using namespace dofa::checkpoint::test;

namespace {

std::vector<float> floats_of(const Checkpoint& checkpoint, const std::string& name) {
  const auto values = to_floats(checkpoint.tensors().at(name));
  REQUIRE(values.ok());
  return *values;
}

const std::vector<float> kSix{1, 2, 3, 4, 5, 6};

}  // namespace

TEST_CASE("a state dict under a single key is read") {
  const std::string weights = single("w", tensor(storage("Float", "0", 6), 0, {2, 3}, {3, 1}));
  const auto checkpoint = parse_checkpoint(zip_file(pickle(single("state_dict", weights)), {numbers(kSix)}));
  REQUIRE(checkpoint.ok());
  REQUIRE(checkpoint->tensors().size() == 1);
  CHECK(checkpoint->tensors().at("w").shape == std::vector<std::int64_t>{2, 3});
  CHECK(floats_of(*checkpoint, "w") == kSix);
}

TEST_CASE("offsets and strides choose the elements") {
  const std::string transposed = single("w", tensor(storage("Float", "0", 6), 0, {3, 2}, {1, 3}));
  const std::string slice = single("w", tensor(storage("Float", "0", 6), 1, {2}, {3}));
  const std::string scalar = single("w", tensor(storage("Float", "0", 6), 5, {}, {}));
  CHECK(floats_of(*parse_checkpoint(zip_file(pickle(transposed), {numbers(kSix)})), "w") ==
        std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(floats_of(*parse_checkpoint(zip_file(pickle(slice), {numbers(kSix)})), "w") ==
        std::vector<float>{2, 5});
  CHECK(floats_of(*parse_checkpoint(zip_file(pickle(scalar), {numbers(kSix)})), "w") ==
        std::vector<float>{6});
}

TEST_CASE("every floating point type becomes float32 exactly") {
  const auto read = [](const std::string& type, const std::string& content, std::int64_t count) {
    return floats_of(*parse_checkpoint(zip_file(
                         pickle(single("w", tensor(storage(type, "0", count), 0, {count}, {1}))), {content})),
                     "w");
  };
  // Bit patterns and values of IEEE 754 binary16: 1, -2, largest, smallest normal, smallest subnormal, -0.
  CHECK(read("Half", numbers<std::uint16_t>({0x3C00, 0xC000, 0x7BFF, 0x0400, 0x0001, 0x8000}), 6) ==
        std::vector<float>{1, -2, 65504, 0x1p-14F, 0x1p-24F, -0.0F});
  CHECK(std::isinf(read("Half", numbers<std::uint16_t>({0x7C00}), 1)[0]));
  CHECK(std::isnan(read("Half", numbers<std::uint16_t>({0x7E00}), 1)[0]));
  CHECK(read("BFloat16", numbers<std::uint16_t>({0x3F80, 0xC040}), 2) == std::vector<float>{1, -3});
  CHECK(read("Double", numbers<double>({0.5, -1e300}), 2)[0] == 0.5F);
  const auto whole = parse_checkpoint(zip_file(
      pickle(single("n", tensor(storage("Long", "0", 1), 0, {}, {}))), {numbers<std::int64_t>({7})}));
  REQUIRE(whole.ok());
  CHECK(!to_floats(whole->tensors().at("n")).ok());
}

TEST_CASE("what surrounds tensors in real files is read past") {
  const std::string weights = tensor(storage("Float", "0", 6), 0, {6}, {1});
  SECTION("attributes of a state dict") {
    const std::string dict = global("collections", "OrderedDict") + ")R(" + text("w") + weights + "u" +
                             single("_metadata", global("collections", "OrderedDict") + ")R") + "b";
    CHECK(floats_of(*parse_checkpoint(zip_file(pickle(dict), {numbers(kSix)})), "w") == kSix);
  }
  SECTION("parameters") {
    const std::string parameter = global("torch._utils", "_rebuild_parameter") +
                                  tuple(weights + "\x88" + global("collections", "OrderedDict") + ")R") + "R";
    CHECK(floats_of(*parse_checkpoint(zip_file(pickle(single("w", parameter)), {numbers(kSix)})), "w") ==
          kSix);
  }
  SECTION("numbers, strings and lists beside the state dict") {
    const std::string others = "}(" + text("epoch") + "K\x07" + text("loss") + "G\x3f\xe0" +
                               std::string(6, '\0') + text("history") + "](K\x01N\x88" + "e" +
                               text("state_dict") + single("w", weights) + "u";
    CHECK(floats_of(*parse_checkpoint(zip_file(pickle(others), {numbers(kSix)})), "w") == kSix);
  }
  SECTION("an OrderedDict of pairs, as Python 2 wrote it") {
    const std::string dict = global("collections", "OrderedDict") + "(](](" + text("w") + weights + "eetR";
    CHECK(floats_of(*parse_checkpoint(zip_file(pickle(dict), {numbers(kSix)})), "w") == kSix);
  }
  SECTION("protocol 4: frames, short strings, memo by order, globals from the stack") {
    const auto short_text = [](const std::string& value) {
      return std::string("\x8c") + static_cast<char>(value.size()) + value + "\x94";
    };
    const std::string rebuild = short_text("torch._utils") + short_text("_rebuild_tensor_v2") + "\x93";
    const std::string kind = short_text("torch") + short_text("FloatStorage") + "\x93";
    const std::string stored =
        "(" + short_text("storage") + kind + short_text("0") + short_text("cpu") + "K\x06tQ";
    const std::string zero(1, '\0');
    const std::string body =
        "}" + short_text("w") + rebuild + "(" + stored + "K" + zero + "K\x06\x85K\x01\x85\x89NtRs";
    const std::string data = "\x80\x04\x95" + little_endian(body.size() + 1, 8) + body + ".";
    CHECK(floats_of(*parse_checkpoint(zip_file(data, {numbers(kSix)})), "w") == kSix);
  }
}

TEST_CASE("a legacy file is read, and views into its storages too") {
  const std::string whole = single("w", tensor(storage("Float", "123", 6, "N"), 0, {6}, {1}));
  const auto checkpoint = parse_checkpoint(legacy_file(whole, "123", 6, numbers(kSix)));
  REQUIRE(checkpoint.ok());
  CHECK(floats_of(*checkpoint, "w") == kSix);
  const std::string view = tuple(text("v") + integer(4) + integer(2));
  const std::string part = single("w", tensor(storage("Float", "123", 6, view), 0, {2}, {1}));
  CHECK(floats_of(*parse_checkpoint(legacy_file(part, "123", 6, numbers(kSix))), "w") ==
        std::vector<float>{5, 6});
}

TEST_CASE("what is written reads back equal, the same bytes each time") {
  const std::map<std::string, FloatTensor> tensors{{"a", {{2, 3}, kSix}},
                                                   {"scalar", {{}, {42}}},
                                                   {"empty", {{0, 4}, {}}},
                                                   {"naïve \"name\"", {{1}, {-0.5F}}}};
  const auto file = format_checkpoint(tensors);
  CHECK(file == format_checkpoint(tensors));
  const auto checkpoint = parse_checkpoint(file);
  REQUIRE(checkpoint.ok());
  REQUIRE(checkpoint->tensors().size() == tensors.size());
  for (const auto& [name, tensor] : tensors) {
    CHECK(checkpoint->tensors().at(name).shape == tensor.shape);
    CHECK(floats_of(*checkpoint, name) == tensor.values);
  }
}

TEST_CASE("crc32 gives the check value of its definition") {
  CHECK(crc32(bytes("123456789")) == 0xCBF43926U);
  CHECK(crc32({}) == 0);
}
