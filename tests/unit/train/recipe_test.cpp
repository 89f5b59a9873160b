// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "models/train/recipe.hpp"
#include "tests/support/catch.hpp"

using namespace dofa::train;

TEST_CASE("the learning rate rises, peaks and falls to nothing") {
  Recipe recipe;
  recipe.epochs = 10;
  recipe.learning_rate = 0.4;
  recipe.warmup_epochs = 2;
  CHECK(learning_rate(recipe, 100, 0) == Approx(0.4 / 200));
  CHECK(learning_rate(recipe, 100, 99) == Approx(0.2));
  CHECK(learning_rate(recipe, 100, 199) == Approx(0.4));
  CHECK(learning_rate(recipe, 100, 600) == Approx(0.2));  // the middle of the cosine
  CHECK(learning_rate(recipe, 100, 999) < 1e-5);
  CHECK(learning_rate(recipe, 100, 1000) == 0);
}

TEST_CASE("larger inputs join during the first half") {
  Recipe recipe;
  recipe.epochs = 8;
  recipe.space.resolutions = {20, 24, 28, 32};
  CHECK(resolutions_offered(recipe, 10, 0) == 1);
  CHECK(resolutions_offered(recipe, 10, 9) == 1);
  CHECK(resolutions_offered(recipe, 10, 10) == 2);
  CHECK(resolutions_offered(recipe, 10, 39) == 4);
  CHECK(resolutions_offered(recipe, 10, 79) == 4);
  recipe.progressive = false;
  CHECK(resolutions_offered(recipe, 10, 0) == 4);
}

TEST_CASE("recipes that make no supernet are refused") {
  Recipe recipe;
  CHECK(check(recipe).ok());
  const auto refused = [](auto change) {
    Recipe changed;
    change(changed);
    return !check(changed).ok();
  };
  CHECK(refused([](Recipe& r) { r.space.kernel_sizes = {5, 7}; }));
  CHECK(refused([](Recipe& r) { r.space.kernel_sizes = {3, 7}; }));
  CHECK(refused([](Recipe& r) { r.space.kernel_sizes = {}; }));
  CHECK(refused([](Recipe& r) { r.space.expand_ratios = {4, 3}; }));
  CHECK(refused([](Recipe& r) { r.space.expand_ratios = {5}; }));
  CHECK(refused([](Recipe& r) { r.space.max_depth = 5; }));
  CHECK(refused([](Recipe& r) { r.space.resolutions = {8}; }));
  CHECK(refused([](Recipe& r) { r.batch = 3; }));
}

TEST_CASE("only a sub-network of the supernet can be trained alone") {
  Recipe recipe;
  recipe.space.max_depth = 3;
  recipe.alone = Candidate{smallest(recipe.space), 24};
  CHECK(check(recipe).ok());
  const auto refused = [&](auto change) {
    Recipe changed = recipe;
    change(changed.alone->architecture, changed);
    return !check(changed).ok();
  };
  CHECK(refused([](auto& a, Recipe&) { a.kernel_sizes[13] = 7; }));
  CHECK_FALSE(refused([](auto& a, Recipe&) { a.kernel_sizes[14] = 7; }));  // of a block beyond the depth
  CHECK(refused([](auto&, Recipe& r) { r.space.expand_ratios = {4, 6}; }));
  CHECK(refused([](auto& a, Recipe&) { a.depths[4] = 4; }));
  CHECK(refused([](auto& a, Recipe&) { a.depths[4] = 1; }));
  CHECK(refused([](auto&, Recipe& r) { r.alone->resolution = 33; }));
  CHECK(refused([](auto&, Recipe& r) { r.alone->resolution = 15; }));
}

TEST_CASE("every number of a recipe shows in its text") {
  const Recipe recipe;
  std::set<std::string> texts{to_text(recipe)};
  std::size_t changes = 0;
  const auto change = [&](auto apply) {
    Recipe changed;
    apply(changed);
    texts.insert(to_text(changed));
    ++changes;
  };
  change([](Recipe& r) { r.space.width = 0.75; });
  change([](Recipe& r) { r.space.classes = 11; });
  change([](Recipe& r) { r.space.kernel_sizes = {3}; });
  change([](Recipe& r) { r.space.expand_ratios = {6}; });
  change([](Recipe& r) { r.space.max_depth = 2; });
  change([](Recipe& r) { r.space.resolutions = {32}; });
  change([](Recipe& r) { r.space.stem_stride = 2; });
  change([](Recipe& r) { r.space.stage_strides[4] = 2; });
  change([](Recipe& r) { ++r.epochs; });
  change([](Recipe& r) { ++r.batch; });
  change([](Recipe& r) { ++r.random_subnets; });
  change([](Recipe& r) { ++r.smallest_every; });
  change([](Recipe& r) { r.learning_rate *= 1.0000001; });
  change([](Recipe& r) { ++r.warmup_epochs; });
  change([](Recipe& r) { r.momentum = 0; });
  change([](Recipe& r) { r.orthogonal_rate = 0; });
  change([](Recipe& r) { r.weight_decay = 0; });
  change([](Recipe& r) { r.label_smoothing = 0; });
  change([](Recipe& r) { r.ema_decay = 0; });
  change([](Recipe& r) { r.progressive = false; });
  change([](Recipe& r) { ++r.crop_padding; });
  change([](Recipe& r) { r.flip = false; });
  change([](Recipe& r) { r.vary = true; });
  change([](Recipe& r) { ++r.cutout; });
  change([](Recipe& r) { r.mean[1] = 0; });
  change([](Recipe& r) { r.deviation[2] = 1; });
  change([](Recipe& r) { ++r.seed; });
  change([](Recipe& r) { ++r.threads; });
  change([](Recipe& r) { r.alone = Candidate{smallest(r.space), 24}; });
  change([](Recipe& r) { r.alone = Candidate{smallest(r.space), 32}; });
  change([](Recipe& r) { r.alone = Candidate{largest(r.space), 32}; });
  CHECK(texts.size() == changes + 1);
}

TEST_CASE("drawn sub-networks stay within the space, reach all of it, and depend on seed, step and draw") {
  Space space;
  space.max_depth = 3;
  std::set<int> kernels;
  std::set<int> ratios;
  std::set<int> depths;
  for (std::uint64_t step = 0; step < 20; ++step) {
    const auto drawn = random_architecture(space, 1, step, 0);
    kernels.insert(drawn.kernel_sizes.begin(), drawn.kernel_sizes.end());
    ratios.insert(drawn.expand_ratios.begin(), drawn.expand_ratios.end());
    depths.insert(drawn.depths.begin(), drawn.depths.end());
  }
  CHECK(kernels == std::set<int>{3, 5});
  CHECK(ratios == std::set<int>{3, 4, 6});
  CHECK(depths == std::set<int>{2, 3});
  CHECK(random_architecture(space, 1, 5, 0) == random_architecture(space, 1, 5, 0));
  CHECK_FALSE(random_architecture(space, 1, 5, 0) == random_architecture(space, 2, 5, 0));
  CHECK_FALSE(random_architecture(space, 1, 5, 0) == random_architecture(space, 1, 6, 0));
  CHECK_FALSE(random_architecture(space, 1, 5, 0) == random_architecture(space, 1, 5, 1));
}
