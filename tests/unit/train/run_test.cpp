// SPDX-License-Identifier: Apache-2.0
// Whole runs on a handful of images: they learn, they can be interrupted, they say what is wrong.
#include <atomic>
#include <fstream>
#include <sstream>

#include "models/train/run.hpp"
#include "models/train/validation.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ofa/files.hpp"
#include "tests/unit/train/quarters.hpp"

using namespace dofa;
using namespace dofa::train;
using engine::test::TemporaryFolder;

namespace {

std::string read(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A log without its last column, the wall-clock seconds.
std::string curve(const std::string& folder) {
  std::istringstream log(read(folder + "/log.csv"));
  std::string line;
  std::string kept;
  while (std::getline(log, line)) kept += line.substr(0, line.rfind(',')) + "\n";
  return kept;
}

}  // namespace

TEST_CASE("a run learns, and its smallest sub-network with it") {
  const TemporaryFolder folder;
  const Images images = quarters(320, 1);
  const Images held_out = quarters(100, 2);
  RunOptions options;
  options.folder = folder / "run";
  options.calibration_images = 200;
  const auto result = run(small_recipe(), images, held_out, options);
  if (!result) FAIL(result.error().message);
  REQUIRE(result->finished);
  std::istringstream log(read(folder / "run/log.csv"));
  std::string line;
  std::string last;
  int lines = 0;
  while (std::getline(log, line)) {
    last = line;
    ++lines;
  }
  CHECK(lines == 5);
  std::replace(last.begin(), last.end(), ',', ' ');
  double epoch = 0, count = 0, rate = 0, loss = 0, top1 = 0, student = 0, largest_top1 = 0, smallest_top1 = 0;
  std::istringstream(last) >> epoch >> count >> rate >> loss >> top1 >> student >> largest_top1 >>
      smallest_top1;
  CHECK(epoch == 4);
  CHECK(count == 320);
  CHECK(largest_top1 > 0.9);  // 0.25 is chance
  CHECK(smallest_top1 > 0.6);
}

TEST_CASE("an interrupted run ends with the same weights and the same log") {
  const TemporaryFolder folder;
  const Images images = quarters(160, 1);
  const Images held_out = quarters(20, 2);
  Recipe recipe = small_recipe();
  recipe.epochs = 3;
  RunOptions options;
  options.calibration_images = 50;
  options.folder = folder / "whole";
  const auto whole = run(recipe, images, held_out, options);
  REQUIRE(whole.ok());

  std::atomic<bool> stop{false};
  int steps = 0;
  options.folder = folder / "parts";
  options.stop = &stop;
  options.watch = [&](const RunProgress&) { stop = ++steps == 7; };  // within the second epoch of five steps
  const auto part = run(recipe, images, held_out, options);
  REQUIRE(part.ok());
  CHECK_FALSE(part->finished);
  // As if it had crashed after writing a line that its state does not know of.
  std::ofstream(folder / "parts/log.csv", std::ios::app) << "2,0,0,0,0,0,0,0,0\n";
  options.resume = true;
  options.stop = nullptr;
  int steps_after = 0;
  options.watch = [&](const RunProgress&) { ++steps_after; };
  const auto rest = run(recipe, images, held_out, options);
  REQUIRE(rest.ok());
  REQUIRE(rest->finished);
  CHECK(steps_after == 8);  // of fifteen: it went on, rather than start again
  CHECK(same(rest->weights, whole->weights));
  CHECK(curve(folder / "parts") == curve(folder / "whole"));
}

TEST_CASE("a run says why it does not start or go on") {
  const TemporaryFolder folder;
  const Images images = quarters(64, 1);
  RunOptions options;
  options.folder = folder / "run";
  options.calibration_images = 32;
  Recipe recipe = small_recipe();
  recipe.epochs = 1;
  options.resume = true;
  CHECK(run(recipe, images, {}, options).error().code == ErrorCode::kNotFound);
  options.resume = false;
  REQUIRE(run(recipe, images, {}, options).ok());
  CHECK(run(recipe, images, {}, options).error().code == ErrorCode::kAlreadyExists);
  options.resume = true;
  recipe.learning_rate = 0.05;
  const auto other = run(recipe, images, {}, options);
  REQUIRE_FALSE(other.ok());
  CHECK(other.error().code == ErrorCode::kInvalidArgument);
  CHECK(other.error().message.find("learning-rate 0.2") != std::string::npos);

  options.resume = false;
  options.folder = folder / "explodes";
  recipe.learning_rate = 1e4;
  recipe.warmup_epochs = 0;
  recipe.epochs = 50;
  const auto exploded = run(recipe, images, {}, options);
  REQUIRE_FALSE(exploded.ok());
  CHECK(exploded.error().code == ErrorCode::kFailed);
  CHECK(exploded.error().message.find("no longer a number") != std::string::npos);

  const auto tiny = run(small_recipe(), quarters(8, 1), {}, options);
  REQUIRE_FALSE(tiny.ok());
  CHECK(tiny.error().message.find("fewer images") != std::string::npos);
}
