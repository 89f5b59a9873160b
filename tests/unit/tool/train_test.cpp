// SPDX-License-Identifier: Apache-2.0
// The train verb as main() calls it, on pictures that the test makes, and the data it reads.
#include <algorithm>
#include <fstream>

#include "models/tool/family_folder.hpp"
#include "models/tool/pictures.hpp"
#include "models/tool/training_images.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ofa/files.hpp"
#include "tests/unit/tool/run_verb.hpp"

using namespace dofa;
using namespace dofa::tool;
using engine::test::TemporaryFolder;

namespace {

/// A CIFAR-10 binary file of `count` pictures of class i % 10, whose planes are i, i + 1, i + 2.
void write_binary(const std::string& path, int count) {
  std::ofstream file(path, std::ios::binary);
  for (int i = 0; i < count; ++i) {
    file.put(static_cast<char>(i % 10));
    for (int plane = 0; plane < 3; ++plane) file << std::string(1024, static_cast<char>(i + plane));
  }
}

/// `count` pictures a class, one class bright, the other dark.
void write_folder(const std::string& root, int count) {
  for (const std::string name : {"bright", "dark"}) {
    std::filesystem::create_directories(root + "/" + name);
    for (int i = 0; i < count; ++i) {
      std::ofstream file(root + "/" + name + "/" + std::to_string(100 + i) + ".ppm", std::ios::binary);
      file << "P6\n16 16\n255\n";
      for (int value = 0; value < 16 * 16 * 3; ++value)
        file.put(static_cast<char>((name == "bright" ? 180 : 40) + (value * 7 + i * 13) % 30));
    }
  }
}

const std::vector<std::string> kSmall{"--epochs", "1", "--batch", "8",  "--width", "0.25", "-d",        "2",
                                      "-e",       "3", "-r",      "16", "--ks",    "3",    "--threads", "1"};

std::vector<std::string> with_small(std::vector<std::string> words) {
  words.insert(words.end(), kSmall.begin(), kSmall.end());
  return words;
}

}  // namespace

TEST_CASE("CIFAR-10's own binary files are read, by split") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "cifar");
  write_binary(folder / "cifar/data_batch_1.bin", 4000);
  write_binary(folder / "cifar/data_batch_2.bin", 2000);
  write_binary(folder / "cifar/test_batch.bin", 7);
  const auto count = [&](const std::string& split) {
    const auto pictures = open_labelled_pictures({{folder / "cifar"}, split, 0, {}});
    return pictures ? (*pictures)->size() : 0;
  };
  CHECK(count("train") == 6000);
  CHECK(count("fit") == 1000);
  CHECK(count("validation") == 5000);
  CHECK(count("test") == 7);
  const auto images = read_training_images(folder / "cifar", "test", 32);
  REQUIRE(images.ok());
  REQUIRE(images->size() == 7);
  CHECK(images->labels[6] == 6);
  CHECK(images->image(6)[0] == 6);
  CHECK(images->image(6)[1] == 7);
  CHECK(images->image(6)[2] == 8);
  CHECK(images->image(6).back() == 8);

  std::ofstream(folder / "cifar/test_batch.bin", std::ios::app) << "x";
  const auto damaged = read_training_images(folder / "cifar", "test", 32);
  REQUIRE_FALSE(damaged.ok());
  CHECK(damaged.error().message.find("test_batch.bin: not a whole number") != std::string::npos);
}

TEST_CASE("a labelled folder keeps every tenth picture for validation") {
  const TemporaryFolder folder;
  write_folder(folder / "data", 20);
  const auto fit = read_training_images(folder / "data", "fit", 16);
  const auto validation = read_training_images(folder / "data", "validation", 16);
  REQUIRE(fit.ok());
  REQUIRE(validation.ok());
  CHECK(fit->size() == 36);
  CHECK(validation->labels == std::vector<std::uint32_t>{0, 0, 1, 1});
}

TEST_CASE("a trained family can be given sub-networks, calibrated and evaluated") {
  const TemporaryFolder folder;
  write_folder(folder / "data", 40);
  std::ofstream(folder / "names.txt") << "bright\ndark\n";
  const auto trained = run(
      "train", with_small({"--data", folder / "data", "-o", folder / "f", "--labels", folder / "names.txt"}));
  if (!trained) FAIL(trained.error().message);
  CHECK(std::filesystem::exists(folder / "f-training/log.csv"));
  const auto family = open_family(folder / "f");
  REQUIRE(family.ok());
  CHECK(family->file.classes == 2);
  CHECK(family->file.supernet.stem_stride == 1);
  CHECK(family->file.preprocessing.crop_ratio == 1.0F);
  for (const auto& [name, words] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"add-subnet", {folder / "f", "--name", "one", "--ks", "3", "-e", "3", "-d", "2", "-r", "16"}},
           {"calibrate", {folder / "f", folder / "data"}},
           {"eval", {folder / "f", "--data", folder / "data"}}}) {
    const auto done = run(name, words);
    if (!done) FAIL(name << ": " << done.error().message);
  }
  const auto evaluated = open_family(folder / "f");
  REQUIRE(evaluated.ok());
  CHECK(evaluated->file.subnets[0].accuracy->images == 80);
}

TEST_CASE("a sub-network trained alone is a family that can be calibrated and evaluated") {
  const TemporaryFolder folder;
  write_folder(folder / "data", 40);
  const std::string data = folder / "data";
  const auto done = [&](const std::string& name, const std::vector<std::string>& words) {
    const auto result = run(name, words);
    if (!result) FAIL(name << ": " << result.error().message);
  };
  done("train", with_small({"--data", data, "-o", folder / "f"}));
  for (const std::string side : {"16", "17"})
    done("add-subnet", {folder / "f", "--name", "of-" + side, "--ks", "3", "-e", "3", "-d", "2", "-r", side});
  const auto alone = [&](const std::string& level) {
    return with_small({"--data", data, "-o", folder / "a", "--alone", (folder / "f") + ":" + level});
  };
  done("train", alone("of-16"));
  done("calibrate", {folder / "a", data});
  done("eval", {folder / "a", "--data", data});
  const auto family = open_family(folder / "a");
  REQUIRE(family.ok());
  REQUIRE(family->file.subnets.size() == 1);
  CHECK(family->file.subnets[0].name == "of-16");
  CHECK(family->file.subnets[0].resolution == 16);
  CHECK(family->file.subnets[0].accuracy->images == 80);

  const auto error_of = [&](std::vector<std::string> words) {
    try {
      const auto result = run("train", words);
      return result ? std::string("no error") : result.error().message;
    } catch (const UsageError& error) {
      return error.message;
    }
  };
  CHECK(error_of(alone("none")).find("no sub-network 'none'") != std::string::npos);
  CHECK(error_of(alone("of-17")).find("larger inputs") != std::string::npos);
  CHECK(error_of(with_small({"--data", data, "-o", folder / "b", "--alone", folder / "f"}))
            .find("--alone takes FAMILY:LEVEL") != std::string::npos);
  auto wider = alone("of-16");
  *std::ranges::find(wider, "0.25") = "0.5";
  CHECK(error_of(wider).find("has another --width") != std::string::npos);
  CHECK(error_of(with_small({"--data", data, "-o", folder / "f", "--alone", (folder / "f") + ":of-16"}))
            .find("would write over") != std::string::npos);
  auto other = alone("of-16");
  other.insert(other.end(), {"--run", folder / "f-training", "--resume"});
  CHECK(error_of(other).find("was started with another recipe") != std::string::npos);
}

TEST_CASE("train says in one line what is wrong with its arguments") {
  const TemporaryFolder folder;
  write_folder(folder / "data", 10);
  std::filesystem::create_directories(folder / "empty");
  const auto error_of = [&](std::vector<std::string> words) {
    try {
      const auto result = run("train", with_small(std::move(words)));
      return result ? std::string("no error") : result.error().message;
    } catch (const UsageError& error) {
      return error.message;
    }
  };
  const std::string missing = error_of({"--data", folder / "nothing", "-o", folder / "f"});
  CHECK(missing.find("no such folder") != std::string::npos);
  CHECK(missing.find('\n') == std::string::npos);
  CHECK(error_of({"--data", folder / "empty", "-o", folder / "f"}).find("holds no labelled pictures") !=
        std::string::npos);
  CHECK(error_of({"--data", folder / "data", "-o", folder / "f", "--device", "tpu"}).find("cuda:N") !=
        std::string::npos);
  CHECK(error_of({"--data", folder / "data", "-o", folder / "f", "--labels", folder / "none"})
            .find("no such file") != std::string::npos);
  CHECK(error_of({"--data", folder / "data", "-o", folder / "f", "--stage-strides", "2,2"})
            .find("five numbers") != std::string::npos);
  CHECK(
      error_of({"--data", folder / "data", "-o", folder / "f", "--stem-stride", "3"}).find("--stem-stride") !=
      std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder / "f"));
}
