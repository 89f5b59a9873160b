// SPDX-License-Identifier: Apache-2.0
// dofa-model's verbs called as main() calls them, on a small random supernet.
#include <fstream>
#include <map>
#include <set>

#include "models/tool/family_folder.hpp"
#include "models/tool/pictures.hpp"
#include "models/tool/protobuf_writer.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ofa/files.hpp"
#include "tests/unit/ofa/naive_ofa.hpp"
#include "tests/unit/tool/run_verb.hpp"

using namespace dofa;
using namespace dofa::tool;
using engine::test::TemporaryFolder;

namespace {

bool succeeds(const std::string& name, const std::vector<std::string>& words) {
  const auto result = run(name, words);
  if (!result) UNSCOPED_INFO(result.error().message);
  return result.ok() && *result == kExitOk;
}

std::string error_of(const std::string& name, const std::vector<std::string>& words) {
  const auto result = run(name, words);
  return result ? "no error" : result.error().message;
}

void write_ppm(const std::string& path, int side, int red, int green, int blue) {
  std::ofstream file(path, std::ios::binary);
  file << "P6\n" << side << " " << side << "\n255\n";
  for (int i = 0; i < side * side; ++i)
    file << static_cast<char>((red + i) % 256) << static_cast<char>((green + 3 * i) % 256)
         << static_cast<char>(blue);
}

void touch(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A family "f" with sub-networks "big" and "random-3", not calibrated, and ten pictures in two class
/// folders.
struct Workshop {
  TemporaryFolder folder;
  std::string family = folder / "f";
  std::string data = folder / "data";

  Workshop() {
    REQUIRE(checkpoint::write_checkpoint(folder / "net.pth", engine::test::random_tensors(60)).ok());
    REQUIRE(succeeds("import", {folder / "net.pth", "-o", family, "--crop-ratio", "1"}));
    REQUIRE(succeeds("add-subnet", {family, "--name", "big", "--ks", "7", "-e", "6", "-d", "4", "-r", "32"}));
    REQUIRE(succeeds("add-subnet", {family, "--random", "3", "-r", "32"}));
    for (const std::string name : {"cat", "dog"}) {
      std::filesystem::create_directories(data + "/" + name);
      for (int i = 0; i < 5; ++i)
        write_ppm(data + "/" + name + "/" + std::to_string(i) + ".ppm", 40, 10 * i, name == "cat" ? 0 : 90,
                  7 * i);
    }
    touch(data + "/classes.txt", "cat 3 Cat\ndog 9 Dog\n");
  }
  [[nodiscard]] config::FamilyFile file() const { return open_family(family)->file; }
};

}  // namespace

TEST_CASE("a command line is parsed as its verb says") {
  static constexpr std::array<Option, 3> kOptions{
      {{"--name", "NAME", ""}, {"-r", "N", ""}, {"--json", "", ""}}};
  const std::vector<std::string> words{"a", "--name=x", "-r", "16", "--json", "--", "--name"};
  const Arguments arguments(kOptions, words);
  CHECK(arguments.text("--name") == "x");
  CHECK(arguments.integer("-r", 1, 0, 100) == 16);
  CHECK(arguments.json());
  CHECK(arguments.positional(2, 2) == std::vector<std::string>{"a", "--name"});
  CHECK_THROWS_AS(arguments.integer("-r", 1, 0, 15), UsageError);
  CHECK_THROWS_AS(arguments.positional(3, 9), UsageError);
  CHECK_THROWS_AS(arguments.positional(0, 1), UsageError);
  CHECK_THROWS_AS(arguments.required("--none"), UsageError);
  const auto parse = [](const std::vector<std::string>& bad) { return Arguments(kOptions, bad); };
  CHECK_THROWS_AS(parse({"--other"}), UsageError);
  CHECK_THROWS_AS(parse({"--name"}), UsageError);
  CHECK_THROWS_AS(parse({"--json=1"}), UsageError);
  CHECK_THROWS_AS(parse({"-r", "1", "-r", "2"}), UsageError);
  CHECK_THROWS_AS(parse({"-r", "1x"}).integer("-r", 0, 0, 9), UsageError);
  CHECK(parse({"-r", "1,2,3"}).integers("-r") == std::vector<std::int64_t>{1, 2, 3});
}

TEST_CASE("every verb has its own name and help") {
  std::set<std::string_view> names;
  for (const Verb& verb : verbs()) {
    CHECK(names.insert(verb.name).second);
    CHECK(!verb.summary.empty());
    for (const Option& option : verb.options) CHECK(!option.help.empty());
  }
  CHECK(names.size() >= 8);
}

TEST_CASE("import makes a family that says what the checkpoint is") {
  const Workshop shop;
  const auto file = shop.file();
  CHECK(file.name == "f");
  CHECK(file.classes == 10);
  CHECK(file.preprocessing.crop_ratio == 1.0F);
  REQUIRE(file.subnets.size() == 2);
  CHECK(file.subnets[0].name == "random-3");  // the cheaper one comes first
  CHECK(contains(error_of("import", {shop.folder / "net.pth", "-o", shop.family}), "--force replaces it"));
  CHECK(run("import", {shop.folder / "none.pth", "-o", shop.folder / "g"}).error().code ==
        ErrorCode::kNotFound);
  touch(shop.folder / "text.pth", "hello");
  CHECK(contains(error_of("import", {shop.folder / "text.pth", "-o", shop.folder / "g"}),
                 "not a torch.save file"));
  CHECK(!std::filesystem::exists(shop.folder / "g"));
}

TEST_CASE("add-subnet takes what the supernet offers, once") {
  const Workshop shop;
  CHECK(contains(
      error_of("add-subnet", {shop.family, "--name", "big", "--ks", "3", "-e", "3", "-d", "2", "-r", "32"}),
      "has a sub-network 'big' already"));
  CHECK_THROWS_AS(
      run("add-subnet", {shop.family, "--name", "x", "--ks", "4", "-e", "3", "-d", "2", "-r", "32"}),
      UsageError);
  CHECK_THROWS_AS(
      run("add-subnet", {shop.family, "--name", "x", "--ks", "3,5", "-e", "3", "-d", "2", "-r", "32"}),
      UsageError);
  CHECK_THROWS_AS(run("add-subnet", {shop.family, "--name", "x", "--ks", "3", "-e", "3", "-d", "2"}),
                  UsageError);
  REQUIRE(succeeds("add-subnet", {shop.family, "--random", "3", "-r", "32", "--name", "again"}));
  const auto file = shop.file();
  CHECK(file.subnets[0].architecture == file.subnets[1].architecture);  // the same seed draws the same
  touch(shop.folder / "list.json", R"({"levels": [{"ks": [3], "e": 3, "d": [2, 2, 2, 2, 2], "r": [48]}]})");
  REQUIRE(succeeds("add-subnet", {shop.family, "--from", shop.folder / "list.json"}));
  CHECK(shop.file().subnets.size() == 4);
}

TEST_CASE("calibrate, eval, profile and export work one after the other") {
  const Workshop shop;
  CHECK(contains(error_of("eval", {shop.family, "--data", shop.data}), "has no batch statistics"));
  REQUIRE(succeeds("calibrate", {shop.family, shop.data, "--batch", "4"}));
  for (const auto& entry : shop.file().subnets) CHECK(!entry.statistics.empty());
  REQUIRE(succeeds("eval", {shop.family, "--data", shop.data, "--json"}));
  const auto file = shop.file();
  for (const auto& entry : file.subnets) {
    REQUIRE(entry.accuracy.has_value());
    CHECK(entry.accuracy->images == 10);
    CHECK(entry.accuracy->dataset == "data");
    CHECK(entry.accuracy->top1 <= entry.accuracy->top5);
  }
  CHECK(file.subnets[0].accuracy->top1 <= file.subnets[1].accuracy->top1);
  REQUIRE(succeeds("profile", {shop.family, "--rounds", "2"}));
  REQUIRE(succeeds("show", {shop.family}));
  REQUIRE(succeeds("export", {shop.family, "big", "-o", shop.folder / "big.onnx"}));
  REQUIRE(succeeds("export", {shop.family, "big", "-o", shop.folder / "big.pt"}));
  CHECK(std::filesystem::file_size(shop.folder / "big.onnx") > 100'000);
  CHECK(run("export", {shop.family, "none"}).error().code == ErrorCode::kNotFound);

  REQUIRE(succeeds("calibrate", {shop.family, shop.data, "--subnet", "big"}));
  for (const auto& entry : shop.file().subnets)  // new statistics make the old accuracy void
    CHECK(entry.accuracy.has_value() == (entry.name != "big"));
  touch(shop.data + "/classes.txt", "cat 3 Cat\ndog 10 Dog\n");
  CHECK(contains(error_of("eval", {shop.family, "--data", shop.data}),
                 "have class 10 where the family knows 10"));
}

TEST_CASE("compare tells agreement from difference") {
  const TemporaryFolder folder;
  const auto tensors = engine::test::random_tensors(61);
  REQUIRE(checkpoint::write_checkpoint(folder / "net.pth", tensors).ok());
  const auto net = engine::make_supernet(tensors, {});
  const auto architecture = engine::test::random_architecture(62);
  const auto statistics = engine::test::random_statistics(*net, architecture, 63);
  const auto images = engine::test::random_images(2, 32, 64);
  const auto logits = engine::test::run_naively(tensors, architecture, {}, images, statistics);
  engine::FloatTensors expected;
  expected["net/input"] = {{2, 3, 32, 32}, {images.values.begin(), images.values.end()}};
  expected["net/logits"] = {{2, 10}, {logits.begin(), logits.end()}};
  for (const auto& [name, tensor] : engine::statistics_tensors(statistics))
    expected["net/bn/" + name] = tensor;
  const auto list = [](const auto& values) {
    std::string text;
    for (const auto value : values) text += (text.empty() ? "[" : ",") + std::to_string(value);
    return text + "]";
  };
  touch(folder / "subnets.json",
        R"({"subnets": [{"name": "net", "r": 32, "ks": )" + list(architecture.kernel_sizes) +
            ", \"e\": " + list(architecture.expand_ratios) + ", \"d\": " + list(architecture.depths) + "}]}");
  const std::string reference = folder / "expected.pt";
  REQUIRE(checkpoint::write_checkpoint(reference, expected).ok());
  CHECK(succeeds("compare", {folder / "net.pth", reference}));
  REQUIRE(succeeds("import", {folder / "net.pth", "-o", folder / "family"}));
  CHECK(succeeds("compare", {folder / "family", reference, "--json"}));

  expected["net/logits"].values[3] += 0.01F;
  REQUIRE(checkpoint::write_checkpoint(reference, expected).ok());
  CHECK(run("compare", {folder / "net.pth", reference}).value() == kExitFailed);
  CHECK(succeeds("compare", {folder / "net.pth", reference, "--tolerance", "0.1"}));
  expected.erase("net/bn/first_conv.bn.running_mean");
  REQUIRE(checkpoint::write_checkpoint(reference, expected).ok());
  CHECK(contains(error_of("compare", {folder / "net.pth", reference}), "'first_conv.bn'"));
}

TEST_CASE("labelled pictures are told their classes") {
  const Workshop shop;
  PictureQuery query{{shop.data}, "test", 0, {}};
  const auto classes_of = [](const Result<std::unique_ptr<Pictures>>& pictures) {
    REQUIRE(pictures.ok());
    std::map<std::uint32_t, int> counts;
    for (std::size_t i = 0; i < (*pictures)->size(); ++i) ++counts[(*pictures)->label(i).value()];
    return counts;
  };
  CHECK(classes_of(open_labelled_pictures(query)) == std::map<std::uint32_t, int>{{3, 5}, {9, 5}});
  std::filesystem::remove(shop.data + "/classes.txt");
  CHECK(classes_of(open_labelled_pictures(query)) == std::map<std::uint32_t, int>{{0, 5}, {1, 5}});
  query.class_names = {"bird", "dog", "cat"};
  CHECK(classes_of(open_labelled_pictures(query)) == std::map<std::uint32_t, int>{{1, 5}, {2, 5}});
  query.limit = 4;
  CHECK(classes_of(open_labelled_pictures(query)) == std::map<std::uint32_t, int>{{1, 2}, {2, 2}});
  query.paths = {shop.folder / "none"};
  CHECK(open_labelled_pictures(query).error().code == ErrorCode::kNotFound);
}

TEST_CASE("CIFAR-10 mosaics are cut into their tiles") {
  const std::string folder = engine::test::shared_path("data/cifar10");
  if (folder.empty()) return;
  const auto pictures = open_labelled_pictures({{folder}, "test", 0, {}});
  REQUIRE(pictures.ok());
  REQUIRE((*pictures)->size() == 10'000);
  std::array<int, 10> counts{};
  for (std::size_t i = 0; i < 10'000; ++i) ++counts.at((*pictures)->label(i).value());
  for (const int count : counts) CHECK(count == 1000);
  // Tile 101 lies in row 1, column 1 of the mosaic.
  const auto whole = read_picture(folder + "/test_batch.webp");
  const auto tile = (*pictures)->load(101);
  REQUIRE((whole.ok() && tile.ok()));
  CHECK((tile->view.layout.width == 32 && tile->view.layout.height == 32));
  for (const int y : {0, 31})
    CHECK(std::equal(tile->view.data + y * tile->view.layout.stride,
                     tile->view.data + y * tile->view.layout.stride + 96,
                     whole->view.data + (32 + y) * whole->view.layout.stride + 96));
}

TEST_CASE("protobuf fields are written as the wire format has them") {
  // Examples of protobuf.dev/programming-guides/encoding: field 1 = 150; field 2 = "testing"; field 3 holds
  // the first.
  ProtobufMessage inner;
  inner.integer(1, 150);
  CHECK(inner.bytes() == "\x08\x96\x01");
  ProtobufMessage outer;
  outer.text(2, "testing");
  outer.message(3, inner);
  CHECK(outer.bytes() == "\x12\x07testing\x1a\x03\x08\x96\x01");
  ProtobufMessage number;
  number.floating(2, 1.0F);
  CHECK(number.bytes() == std::string("\x15\x00\x00\x80\x3f", 5));
}
