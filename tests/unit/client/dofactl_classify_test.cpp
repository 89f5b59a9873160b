// SPDX-License-Identifier: Apache-2.0
// dofactl classify as its users run it.
#include <sys/stat.h>

#include "client/ctl/usage.hpp"
#include "tests/unit/client/dofactl_setup.hpp"

using namespace dofa::test;
using namespace dofa::test::dofactl;
using namespace dofa::ctl;
using namespace std::string_literals;

namespace {

// Three by two pixels: red 10 (x + 1) + y, green 20 + x, blue 30 + y.
const std::string kPng =
    "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x03\x00\x00\x00\x02\x08"
    "\x02\x00\x00\x00\x12\x16\xf1\x4d\x00\x00\x00\x19\x49\x44\x41\x54\x08\xd7\x63\xe4\x12\x91\xe3\x62\x64"
    "\x00\x22\x16\x46\x06\x46\x46\x06\x06\x20\x02\x00\x05\xca\x00\x5c\x94\xa2\xa0\x0e\x00\x00\x00\x00\x49"
    "\x45\x4e\x44\xae\x42\x60\x82"s;
const std::string kWebp =
    "\x52\x49\x46\x46\x38\x00\x00\x00\x57\x45\x42\x50\x56\x50\x38\x4c\x2c\x00\x00\x00\x2f\x02\x40\x00\x00"
    "\x2f\x20\x10\x48\x61\x3b\x2c\x26\x4d\x31\x3b\x55\x20\x9b\xec\x22\xf9\x5b\x36\xff\xf1\x85\x1a\xd4\x00"
    "\x0a\xd9\x46\x80\x43\xf7\x7a\x9c\xc2\x45\xf4\x3f\x96\x17"s;
const std::vector<unsigned char> kPixels{10, 20, 30, 20, 21, 30, 30, 22, 30,
                                         11, 20, 31, 21, 21, 31, 31, 22, 31};

}  // namespace

TEST_CASE("classify decodes PNG and WebP to rgb8 and prints the classes") {
  Setup setup;
  const Folder folder;
  for (const auto& file : {folder.write("a.png", kPng), folder.write("a.webp", kWebp)}) {
    INFO(file);
    const auto result =
        setup.ask({"classify", "--json", "--top", "2", "--level=1", "--contract", "priority=7", file});
    REQUIRE(result.code == kExitOk);
    CHECK(result.err.empty());
    const auto seen = setup.service.last_frame();
    CHECK(seen.pixels == kPixels);
    CHECK(seen.format.at("width").get<std::uint32_t>() == 3);
    CHECK(seen.format.at("height").get<std::uint32_t>() == 2);
    CHECK(seen.format.at("format").get<std::string>() == "rgb8");
    CHECK(seen.format.at("top-k").get<std::uint32_t>() == 2);
    const auto contract = setup.service.last_dictionary();
    CHECK(contract.at("level").get<std::uint32_t>() == 1);
    CHECK(contract.at("priority").get<std::uint32_t>() == 7);

    const auto answer = json(result.out);
    CHECK(answer["family"].as<std::string>() == "pets");
    const auto image = answer["images"][0];
    CHECK(image["file"].as<std::string>() == file);
    CHECK(image["top"][0]["class"].as<int>() == 10);
    CHECK(image["top"][0]["label"].as<std::string>() == "class 10");
    CHECK(image["top"][0]["probability"].as<double>() == 0.75);
    CHECK(image["top"][1]["label"].as<std::string>() == "dog");
    CHECK(image["subnet"].as<std::string>() == "large");
    CHECK(image["inference_us"].as<int>() == 3000);
    CHECK(image["round_trip_us"].as<std::int64_t>() > 0);
  }
  const auto table = setup.ask({"classify", folder.path() / "a.png"}).out;
  CHECK(table.find("75.0 %") != std::string::npos);
  CHECK(table.find("3.21 ms") != std::string::npos);
}

TEST_CASE("an image that fails is named, and the others go on") {
  Setup setup;
  const Folder folder;
  const auto good = folder.write("good.png", kPng);
  const auto bad = folder.write("bad.png", kPng.substr(0, 20));
  const auto empty = folder.write("empty.png", "");
  const auto missing = (folder.path() / "missing.png").string();
  const auto result = setup.ask({"classify", "--json", bad, missing, folder.path(), empty, good});
  CHECK(result.code == kExitFailed);
  const auto images = json(result.out)["images"];
  REQUIRE(images.size() == 5);
  for (int i = 0; i < 4; ++i) CHECK(images[i]["error"]["name"].as<std::string>() == "InvalidImage");
  CHECK(images[4]["top"].size() == 2);
  CHECK(result.err.find("dofactl: " + bad + ": is not an image that can be decoded\n") != std::string::npos);
  CHECK(result.err.find("dofactl: " + missing + ": No such file or directory\n") != std::string::npos);
  CHECK(result.err.find("is a directory\n") != std::string::npos);
  CHECK(result.err.find("is empty\n") != std::string::npos);

  setup.service.fail("Infer", "org.dofa.Dofa1.Error.ResourceExhausted");
  const auto refused = setup.ask({"classify", "--json", good});
  CHECK(refused.code == kExitFailed);
  CHECK(json(refused.out)["images"][0]["error"]["name"].as<std::string>() == "ResourceExhausted");
}

TEST_CASE("classify says in one line of our own why a picture cannot be read") {
  Setup setup;
  const Folder folder;
  const auto half = folder.write("half.png", kPng.substr(0, 50));
  const auto result = setup.ask({"classify", half});
  CHECK(result.code == kExitFailed);
  CHECK(result.err == "dofactl: " + half + ": is not an image that can be decoded\n");

  const auto large = folder.write("large.pgm", "P5 40000 30000 255\n"s + "\x10");
  CHECK(setup.ask({"classify", large}).err == "dofactl: " + large + ": is too large to be decoded\n");

  const auto pipe = (folder.path() / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(setup.ask({"classify", pipe}).err == "dofactl: " + pipe + ": is no regular file\n");
}

TEST_CASE("a frame that is not answered in time ends as the options say") {
  Setup setup;
  setup.service.hold_frames(true);
  const Folder folder;
  const auto result = setup.ask({"--timeout", "0.1", "classify", "--json", folder.write("a.png", kPng)});
  CHECK(result.code == kExitFailed);
  CHECK(json(result.out)["images"][0]["error"]["name"].as<std::string>() == "TimedOut");
}
