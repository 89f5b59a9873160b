// SPDX-License-Identifier: Apache-2.0
// One sub-network of a supernet, trained alone: what it touches, what it sees, and what its run goes on with.
#include <torch/torch.h>

#include <atomic>
#include <fstream>
#include <regex>
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

/// Kernels 3 and 5, ratios 3 and 4, of a supernet that also has ratio 6 and a third block a stage.
Recipe alone_recipe() {
  Recipe recipe = small_recipe();
  recipe.space.max_depth = 3;
  recipe.space.expand_ratios = {3, 4, 6};
  recipe.epochs = 2;
  Candidate alone{smallest(recipe.space), 16};
  alone.architecture.kernel_sizes[1] = 5;
  alone.architecture.expand_ratios[1] = 4;
  alone.architecture.depths[2] = 3;
  recipe.alone = alone;
  return recipe;
}

/// Whether `alone_recipe`'s sub-network uses this element of a tensor of the supernet; `in` is how many
/// channels go into the block, of which `expand` is the expansion's tensor.
bool uses(const Recipe& recipe, const std::string& name, const std::vector<std::int64_t>& at,
          std::int64_t in) {
  std::smatch match;
  if (!std::regex_search(name, match, std::regex("^blocks\\.(\\d+)\\.conv\\.(.*)$"))) return true;
  const int block = std::stoi(match[1]) - 1;
  const std::string rest = match[2];
  if (block < 0) return true;  // the one that is not elastic
  const auto stage = static_cast<std::size_t>(block / 3);
  const int index = block % 3;
  const auto& architecture = recipe.alone->architecture;
  if (index >= architecture.depths[stage]) return false;
  if (rest.ends_with("_matrix")) return false;
  const std::size_t entry = stage * 4 + static_cast<std::size_t>(index);
  const std::int64_t mid =
      engine::make_divisible(static_cast<double>(in * architecture.expand_ratios[entry]));
  const std::int64_t squeezed = engine::make_divisible(static_cast<double>(mid / 4));
  if (rest.starts_with("point_linear.bn")) return true;
  if (rest == "point_linear.conv.weight") return at[1] < mid;
  if (rest == "depth_conv.se.fc.reduce.weight") return at[0] < squeezed && at[1] < mid;
  if (rest == "depth_conv.se.fc.reduce.bias") return at[0] < squeezed;
  if (rest == "depth_conv.se.fc.expand.weight") return at[0] < mid && at[1] < squeezed;
  if (rest == "depth_conv.conv.weight" && architecture.kernel_sizes[entry] == 3)
    return at[0] < mid && at[2] > 0 && at[2] < 4 && at[3] > 0 && at[3] < 4;
  return at[0] < mid;
}

std::vector<std::int64_t> index_of(std::size_t flat, const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> at(shape.size());
  auto rest = static_cast<std::int64_t>(flat);
  for (std::size_t i = shape.size(); i-- > 0; rest /= shape[i]) at[i] = rest % shape[i];
  return at;
}

Result<RunResult> run_in(const std::string& folder, const Recipe& recipe, bool resume = false) {
  RunOptions options;
  options.folder = folder;
  options.resume = resume;
  options.calibration_images = 32;
  return run(recipe, quarters(96, 1), quarters(20, 2), options);
}

}  // namespace

TEST_CASE("a network alone answers as the supernet does, on the same memory") {
  const torch::NoGradGuard no_gradients;
  const Recipe recipe = alone_recipe();
  const Network whole(recipe.space, 7);
  const Network part = whole.alone(recipe.alone->architecture);
  const at::Tensor images = torch::randn({4, 16, 16, 3});
  // So that blocks with a shortcut count: they start as the identity.
  for (const Parameter& parameter : whole.parameters())
    if (parameter.name.ends_with("point_linear.bn.weight")) parameter.value.detach().fill_(1);
  const at::Tensor answer = whole.forward(recipe.alone->architecture, images);
  CHECK(answer.abs().max().item<double>() > 0);
  const at::Tensor difference = answer - part.forward(recipe.alone->architecture, images);
  CHECK(difference.abs().max().item<double>() < 1e-5 * answer.abs().max().item<double>());
  CHECK(part.parameters().size() < whole.parameters().size());
  CHECK(part.parameters()[0].value.data_ptr() == whole.parameters()[0].value.data_ptr());
}

TEST_CASE("training one sub-network alone changes its weights and no others") {
  const TemporaryFolder folder;
  const Recipe recipe = alone_recipe();
  const auto result = run_in(folder / "run", recipe);
  if (!result) FAIL(result.error().message);
  const Network before(recipe.space, recipe.seed);
  REQUIRE(before.parameters().size() == result->weights.size());
  std::map<std::string, std::int64_t> inputs;  // of each block, by its name
  for (const Parameter& parameter : before.parameters())
    if (const auto at = parameter.name.find("inverted_bottleneck.conv"); at != std::string::npos)
      inputs[parameter.name.substr(0, at)] = parameter.value.size(1);
  std::size_t all_used = 0;
  std::size_t all_changed = 0;
  for (const Parameter& parameter : before.parameters()) {
    INFO(parameter.name);
    const auto& after = result->weights.at(parameter.name);
    REQUIRE(after.shape == parameter.value.sizes().vec());
    const at::Tensor values = parameter.value.detach().contiguous();
    const auto* start = values.data_ptr<float>();
    const std::int64_t in = inputs[parameter.name.substr(0, parameter.name.find(".conv.") + 6)];
    std::size_t used = 0;
    std::size_t changed = 0;
    std::size_t strays = 0;
    for (std::size_t i = 0; i < after.values.size(); ++i) {
      const bool mine = uses(recipe, parameter.name, index_of(i, after.shape), in);
      const bool differs = after.values[i] != start[i];
      used += mine ? 1U : 0U;
      changed += mine && differs ? 1U : 0U;
      strays += !mine && differs ? 1U : 0U;
    }
    CHECK(strays == 0);
    // The scale before a ReLU has next to no gradient at first: the depthwise convolution's batch norm undoes
    // it.
    if (used > 0 && !parameter.name.ends_with("inverted_bottleneck.bn.weight")) CHECK(changed > used / 2);
    all_used += used;
    all_changed += changed;
  }
  CHECK(all_changed > all_used * 95 / 100);
}

TEST_CASE("a sub-network alone sees its own input size and no other sub-network") {
  const TemporaryFolder folder;
  Recipe recipe = alone_recipe();
  recipe.space.resolutions = {16, 24};
  const auto wanted = run_in(folder / "wanted", recipe);
  REQUIRE(wanted.ok());
  const auto weights_with = [&](const std::string& name, auto change) {
    Recipe changed = recipe;
    change(changed);
    const auto result = run_in(folder / name, changed);
    if (!result) FAIL(result.error().message);
    return result->weights;
  };
  CHECK(same(weights_with("no-16", [](Recipe& r) { r.space.resolutions = {24}; }), wanted->weights));
  CHECK(same(weights_with("no-progress", [](Recipe& r) { r.progressive = false; }), wanted->weights));
  CHECK(same(weights_with("more", [](Recipe& r) { r.random_subnets = 3; }), wanted->weights));
  CHECK(same(weights_with("fewer", [](Recipe& r) { r.smallest_every = 2; }), wanted->weights));
  CHECK_FALSE(same(weights_with("larger", [](Recipe& r) { r.alone->resolution = 24; }), wanted->weights));

  std::ifstream log(folder / "wanted/log.csv");
  std::string line;
  std::getline(log, line);
  while (std::getline(log, line)) {
    INFO(line);
    // Loss of others: none. Held out: its own top-1, and no smallest one's.
    CHECK(std::regex_match(line, std::regex("([^,]+,){5}0\\.0000,[01]\\.\\d{4},,\\d+")));
  }
}

TEST_CASE("an interrupted run of one sub-network goes on, but not with another") {
  const TemporaryFolder folder;
  const Recipe recipe = alone_recipe();
  const auto whole = run_in(folder / "whole", recipe);
  REQUIRE(whole.ok());
  std::atomic<bool> stop{false};
  int steps = 0;
  RunOptions options;
  options.folder = folder / "parts";
  options.calibration_images = 32;
  options.stop = &stop;
  options.watch = [&](const RunProgress&) { stop = ++steps == 4; };  // of six
  const auto part = run(recipe, quarters(96, 1), quarters(20, 2), options);
  REQUIRE(part.ok());
  REQUIRE_FALSE(part->finished);

  const auto refusal = [&](auto change) {
    Recipe other = recipe;
    change(other);
    const auto resumed = run_in(folder / "parts", other, true);
    return resumed ? std::string("went on") : resumed.error().message;
  };
  CHECK(refusal([](Recipe& r) {
          r.alone->architecture.depths[0] = 3;
        }).find("'alone-depths 2,2,3,2,2' then") != std::string::npos);
  CHECK(refusal([](Recipe& r) {
          r.alone->architecture.kernel_sizes[0] = 5;
        }).find("'alone-kernel-sizes 3,5,") != std::string::npos);
  CHECK(refusal([](Recipe& r) {
          r.alone->architecture.expand_ratios[0] = 6;
        }).find("'alone-expand-ratios 3,") != std::string::npos);
  CHECK(refusal([](Recipe& r) { r.alone.reset(); }).find("'alone-resolution 16' then, 'width") !=
        std::string::npos);

  const auto rest = run_in(folder / "parts", recipe, true);
  if (!rest) FAIL(rest.error().message);
  CHECK(same(rest->weights, whole->weights));
}

TEST_CASE("the state of another sub-network is not taken even where its recipe is not asked") {
  const Images images = quarters(96, 1);
  const Recipe recipe = alone_recipe();
  Recipe other = recipe;
  other.alone->architecture.kernel_sizes[0] = 5;
  Trainer mine(recipe, images);
  CHECK(mine.set_state(Trainer(recipe, images).state()).ok());
  CHECK_FALSE(mine.set_state(Trainer(other, images).state()).ok());
}
