// SPDX-License-Identifier: Apache-2.0
// Files made to harm: each is refused in one clear line, and none costs more than a few times its size.
#include "tests/support/catch.hpp"
#include "tests/unit/checkpoint/pickles.hpp"

using namespace dofa::checkpoint;
using namespace dofa::checkpoint::test;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string error_of_pickle(const std::string& value) {
  return error_of(zip_file(pickle(value), {numbers<float>({1, 2})}));
}

std::string with_tensor(const std::string& tensor) {
  return error_of_pickle(single("w", tensor));
}

}  // namespace

TEST_CASE("a pickle that calls a function is refused by the function's name") {
  CHECK(contains(error_of_pickle(global("os", "system") + text("touch /tmp/harmed") + "\x85R"),
                 "refused global os.system"));
  CHECK(contains(error_of_pickle(global("builtins", "eval") + text("1") + "\x85R"),
                 "refused global builtins.eval"));
  CHECK(contains(error_of_pickle(text("posix") + text("system") + "\x93"), "refused global posix.system"));
  CHECK(contains(error_of_pickle(global("torch", "load")), "refused global torch.load"));
  CHECK(contains(error_of_pickle("(i"
                                 "os\nsystem\n"),
                 "refused opcode"));  // INST
}

TEST_CASE("a refused name is printed as one short line") {
  const std::string error = error_of_pickle(global("o\x1b[31ms", std::string(100'000, 'x')));
  CHECK(contains(error, "refused global o?[31ms"));
  CHECK(error.size() < 400);
}

TEST_CASE("a file cut short anywhere is refused") {
  const auto zip = format_checkpoint({{"w", {{2}, {1, 2}}}});
  for (std::size_t size = 0; size < zip.size(); ++size) {
    INFO("zip cut to " << size);
    REQUIRE(error_of({zip.begin(), zip.begin() + static_cast<std::ptrdiff_t>(size)}) != "no error");
  }
  const auto legacy = legacy_file(single("w", tensor(storage("Float", "k", 2, "N"), 0, {2}, {1})), "k", 2,
                                  numbers<float>({1, 2}));
  REQUIRE(error_of(legacy) == "no error");
  for (std::size_t size = 0; size < legacy.size(); ++size) {
    INFO("legacy cut to " << size);
    REQUIRE(error_of({legacy.begin(), legacy.begin() + static_cast<std::ptrdiff_t>(size)}) != "no error");
  }
}

TEST_CASE("one changed bit of a record is noticed") {
  const auto sound = format_checkpoint({{"w", {{64}, std::vector<float>(64, 1.5F)}}});
  const std::string name = "archive/data/0";
  const auto* begin = reinterpret_cast<const char*>(sound.data());
  const std::size_t at = std::string_view(begin, sound.size()).find(name) + name.size() + 100;
  auto changed = sound;
  changed[at] ^= std::byte{1};
  CHECK(contains(error_of(changed), "is damaged (CRC-32 differs)"));
}

TEST_CASE("a compressed record is refused by name") {
  auto file = format_checkpoint({{"w", {{1}, {1}}}});
  const std::string entry = "PK\x01\x02";
  const std::size_t at =
      std::string_view(reinterpret_cast<const char*>(file.data()), file.size()).find(entry);
  file[at + 10] = std::byte{8};
  CHECK(contains(error_of(file), "compressed (method 8)"));
}

TEST_CASE("sizes of 4 GiB and more are held against the file") {
  SECTION("a record in the zip directory") {
    auto file = format_checkpoint({{"w", {{1}, {1}}}});
    const std::string_view view(reinterpret_cast<const char*>(file.data()), file.size());
    const std::size_t at = view.find("PK\x01\x02");
    for (const std::size_t field : {20, 24})
      for (std::size_t i = 0; i < 4; ++i) file[at + field + i] = i == 3 ? std::byte{0x7F} : std::byte{0xFF};
    CHECK(contains(error_of(file), "reaches beyond the end of the file"));
  }
  SECTION("a storage of a legacy file") {
    const std::string object = single("w", tensor(storage("Float", "k", 2, "N"), 0, {2}, {1}));
    CHECK(contains(error_of(legacy_file(object, "k", std::int64_t{1} << 32, "")),
                   "reaches beyond the end of the file"));
    CHECK(contains(error_of(legacy_file(object, "k", std::int64_t{1} << 62, "")),
                   "reaches beyond the end of the file"));
    CHECK(contains(error_of(legacy_file(object, "k", -1, "")), "reaches beyond the end of the file"));
  }
  SECTION("a storage of a zip file") {
    CHECK(contains(with_tensor(tensor(storage("Float", "0", std::int64_t{1} << 32), 0, {1}, {1})),
                   "reaches beyond"));
    CHECK(contains(with_tensor(tensor(storage("Float", "0", INT64_MAX), 0, {1}, {1})), "reaches beyond"));
  }
  SECTION("a string in the pickle") {
    CHECK(contains(error_of_pickle("X\xff\xff\xff\xff"), "truncated"));
    CHECK(contains(error_of_pickle("\x8d" + little_endian(UINT64_MAX, 8)), "truncated"));
  }
}

TEST_CASE("a tensor that leaves its storage is refused") {
  const auto on_two = [](std::int64_t offset, std::vector<std::int64_t> shape,
                         std::vector<std::int64_t> strides) {
    return with_tensor(tensor(storage("Float", "0", 2), offset, shape, strides));
  };
  CHECK(on_two(0, {2}, {1}) == "no error");
  CHECK(contains(on_two(1, {2}, {1}), "reaches beyond its storage"));
  CHECK(contains(on_two(0, {2}, {2}), "reaches beyond its storage"));
  CHECK(contains(on_two(3, {1}, {1}), "reaches beyond its storage"));
  CHECK(contains(on_two(0, {1 << 20, 1 << 20}, {0, 0}), "reaches beyond its storage"));
  CHECK(contains(on_two(0, {INT64_MAX, INT64_MAX}, {1, 1}), "overflows"));
  CHECK(contains(on_two(0, {2, 2}, {INT64_MAX, INT64_MAX}), "overflows"));
  CHECK(contains(on_two(0, {-1}, {1}), "negative"));
  CHECK(contains(on_two(0, {1}, {-1}), "negative"));
  CHECK(contains(on_two(-1, {1}, {1}), "malformed tensor"));
  CHECK(contains(on_two(0, {1, 1}, {1}), "malformed tensor"));
  CHECK(contains(with_tensor(tensor(storage("Float", "9", 2), 0, {1}, {1})), "its storage is missing"));
  CHECK(contains(with_tensor(tensor(storage("Double", "0", 2), 0, {1}, {1})), "reaches beyond"));
}

TEST_CASE("a pickle that multiplies its contents stays within limits") {
  std::string deep = "]";  // lists in lists, a million deep
  for (int i = 0; i < 500'000; ++i) deep += "]";
  for (int i = 0; i < 500'000; ++i) deep += "a";
  CHECK(error_of_pickle(deep) == "holds no dict of tensors");

  std::string pairs = "](";  // a list of pairs made into an OrderedDict over and over
  for (int i = 0; i < 2000; ++i) pairs += "NN\x86";
  std::string bomb = "](" + global("collections", "OrderedDict") + "q\x01" + "0" + pairs + "eq\x02" + "0";
  for (int i = 0; i < 600; ++i) bomb += "h\x01h\x02\x85R";
  CHECK(contains(error_of_pickle(bomb + "e"), "too many objects"));

  CHECK(contains(error_of_pickle("](" + std::string(kMaxFileBytes >> 10, 'N') + "e"), "too many objects"));
}

TEST_CASE("opcodes without what they need are refused") {
  for (const std::string broken :
       {"0",       "R",       "t",    "e",      "s",       "u",        "a",       "h\x05",
        "q\x01",   "b",       "Q",    "\x85",   "(K\x01u", "K\x01(0t", "]K\x01s", "}(K\x01u",
        "K\x01NR", "K\x01Nb", "\x93", "K\x01Q", ")Q",      "(",        "1"}) {
    INFO("opcode " << broken);
    CHECK(error_of_pickle(broken) != "no error");
  }
  CHECK(contains(error_of(zip_file("\x80\x09N.", {})), "protocol 9"));
}

TEST_CASE("files of another kind are refused") {
  CHECK(error_of({}) == "not a torch.save file");
  CHECK(error_of(bytes("hello")) == "not a torch.save file");
  CHECK(contains(error_of(bytes("PK\x03\x04 and nothing more than this text")), "no directory"));
  ZipWriter empty;
  empty.add("readme", bytes("x"));
  CHECK(contains(error_of(empty.finish()), "without data.pkl"));
  CHECK(error_of_pickle("]") == "holds no dict of tensors");
  CHECK(error_of_pickle(single("state_dict", "N")) == "holds no dict of tensors");
  CHECK(error_of_pickle("}") == "holds no tensors");
  const auto missing = read_checkpoint("/no/such/file.pt");
  REQUIRE(!missing.ok());
  CHECK(missing.error().code == dofa::ErrorCode::kNotFound);
  CHECK(!read_checkpoint("/dev/zero").ok());
}
