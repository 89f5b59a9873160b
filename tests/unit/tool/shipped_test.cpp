// SPDX-License-Identifier: Apache-2.0
// models/cifar10, the family that ships: complete, small, and it knows the pictures in tests/data.
#include <algorithm>
#include <filesystem>

#include "daemon/engine/family.hpp"
#include "models/tool/family_folder.hpp"
#include "models/tool/pictures.hpp"
#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::tool;
namespace fs = std::filesystem;

namespace {

const std::string kFamily = DOFA_SOURCE_DIR "/models/cifar10";

/// The class in a picture's name, cifar10-INDEX-CLASS.png.
std::string class_of(const fs::path& picture) {
  const std::string stem = picture.stem().string();
  return stem.substr(stem.rfind('-') + 1);
}

}  // namespace

TEST_CASE("the shipped family is complete and small") {
  const auto family = open_family(kFamily);
  REQUIRE(family.ok());
  const auto& levels = family->file.subnets;
  REQUIRE(levels.size() >= 8);
  for (const auto& level : levels) {
    REQUIRE(level.accuracy);
    CHECK(level.accuracy->images == 10'000);
    CHECK(level.accuracy->dataset == "cifar10-test");
  }
  CHECK(levels.front().accuracy->top1 >= 0.88);
  CHECK(levels.back().accuracy->top1 >= 0.925);
  for (std::size_t i = 1; i < levels.size(); ++i)
    CHECK(levels[i].accuracy->top1 > levels[i - 1].accuracy->top1);
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(kFamily)) bytes += entry.file_size();
  CHECK(bytes <= 16'000'000);
  CHECK(fs::exists(kFamily + "/MODEL_CARD.md"));
}

TEST_CASE("the shipped family knows most of the kept pictures") {
  const auto folder = open_family(kFamily);
  REQUIRE(folder.ok());
  const auto family = engine::load_family(folder->directory, folder->file);
  REQUIRE(family.ok());
  const auto runner = (*family)->make_runner(*family);
  REQUIRE(runner.ok());
  std::vector<int> hits((*family)->levels().size());
  int pictures = 0;
  for (const auto& entry : fs::directory_iterator(DOFA_SOURCE_DIR "/tests/data")) {
    if (entry.path().extension() != ".png") continue;
    const auto picture = read_picture(entry.path().string());
    REQUIRE(picture.ok());
    ++pictures;
    for (std::uint32_t level = 0; level < hits.size(); ++level) {
      REQUIRE((*runner)->prepare(level, picture->view).ok());
      const auto logits = (*runner)->run(level);
      REQUIRE(logits.ok());
      const auto best = std::ranges::max_element(*logits) - logits->begin();
      hits[level] += (*family)->labels()[static_cast<std::size_t>(best)] == class_of(entry.path()) ? 1 : 0;
    }
  }
  CHECK(pictures == 12);
  CHECK(hits.front() >= 6);  // by chance: about one
  CHECK(hits.back() >= 8);
}
