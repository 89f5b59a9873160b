// SPDX-License-Identifier: Apache-2.0
#include "models/train/recipe.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

namespace dofa::train {
namespace {

Error invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

template <class Number>
std::string number(Number value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return {text, end};
}

template <class List>
std::string list(const List& values) {
  std::string text;
  for (const auto value : values) {
    text += text.empty() ? "" : ",";
    if constexpr (sizeof(value) == 1)
      text += number(static_cast<unsigned>(value));
    else
      text += number(value);
  }
  return text;
}

template <class List, class Choices>
bool rises_within(const List& values, const Choices& choices) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::ranges::find(choices, values[i]) == choices.end()) return false;
    if (i > 0 && values[i] <= values[i - 1]) return false;
  }
  return !values.empty();
}

bool has(const std::vector<std::uint8_t>& choices, std::uint8_t value) {
  return std::ranges::find(choices, value) != choices.end();
}

/// Entries of blocks beyond a stage's depth mean nothing and are not looked at.
bool offers(const Space& space, const config::OfaArchitecture& architecture) {
  const std::size_t per_stage = architecture.kernel_sizes.size() / architecture.depths.size();
  for (std::size_t stage = 0; stage < architecture.depths.size(); ++stage) {
    const std::size_t depth = architecture.depths[stage];
    if (depth < 2 || depth > space.max_depth) return false;
    for (std::size_t entry = stage * per_stage; entry < stage * per_stage + depth; ++entry)
      if (!has(space.kernel_sizes, architecture.kernel_sizes[entry]) ||
          !has(space.expand_ratios, architecture.expand_ratios[entry]))
        return false;
  }
  return true;
}

}  // namespace

Result<void> check(const Recipe& recipe) {
  const Space& space = recipe.space;
  static constexpr std::array<std::uint8_t, 3> kKernels{3, 5, 7};
  static constexpr std::array<std::uint8_t, 3> kRatios{3, 4, 6};
  if (!rises_within(space.kernel_sizes, kKernels) || space.kernel_sizes.front() != 3 ||
      space.kernel_sizes.back() != 1 + 2 * space.kernel_sizes.size())
    return invalid("kernel sizes are 3, or 3,5, or 3,5,7");
  if (!rises_within(space.expand_ratios, kRatios))
    return invalid("expand ratios are rising ones of 3, 4 and 6");
  if (space.max_depth < 2 || space.max_depth > 4) return invalid("depth is 2, 3 or 4");
  if (space.resolutions.empty()) return invalid("at least one resolution is needed");
  for (const std::uint32_t side : space.resolutions)
    if (side < 16 || side > 256) return invalid("resolutions are 16 to 256");
  if (space.classes < 2) return invalid("at least two classes are needed");
  if (recipe.alone && !offers(space, recipe.alone->architecture))
    return invalid("the sub-network to train alone is none of the supernet's");
  if (recipe.alone && (recipe.alone->resolution < 16 || recipe.alone->resolution > space.resolutions.back()))
    return invalid("the sub-network to train alone wants larger inputs than the largest resolution");
  if (recipe.batch < 2 * recipe.threads) return invalid("the batch is too small for so many threads");
  return {};
}

std::string to_text(const Recipe& recipe) {
  const Space& space = recipe.space;
  std::string text;
  const auto line = [&](const char* key, const std::string& value) {
    text += std::string(key) + " " + value + "\n";
  };
  if (recipe.alone) {  // no line otherwise: interrupted runs of a release without it go on
    line("alone-resolution", number(recipe.alone->resolution));
    line("alone-kernel-sizes", list(recipe.alone->architecture.kernel_sizes));
    line("alone-expand-ratios", list(recipe.alone->architecture.expand_ratios));
    line("alone-depths", list(recipe.alone->architecture.depths));
  }
  line("width", number(space.width));
  line("classes", number(space.classes));
  line("kernel-sizes", list(space.kernel_sizes));
  line("expand-ratios", list(space.expand_ratios));
  line("depth", number(static_cast<unsigned>(space.max_depth)));
  line("resolutions", list(space.resolutions));
  line("stem-stride", number(space.stem_stride));
  line("stage-strides", list(space.stage_strides));
  line("epochs", number(recipe.epochs));
  line("batch", number(recipe.batch));
  line("random-subnets", number(recipe.random_subnets));
  line("smallest-every", number(recipe.smallest_every));
  line("learning-rate", number(recipe.learning_rate));
  line("warmup-epochs", number(recipe.warmup_epochs));
  line("momentum", number(recipe.momentum));
  line("orthogonal-rate", number(recipe.orthogonal_rate));
  line("weight-decay", number(recipe.weight_decay));
  line("label-smoothing", number(recipe.label_smoothing));
  line("ema-decay", number(recipe.ema_decay));
  line("progressive", recipe.progressive ? "yes" : "no");
  line("crop-padding", number(recipe.crop_padding));
  line("flip", recipe.flip ? "yes" : "no");
  line("vary", recipe.vary ? "yes" : "no");
  line("cutout", number(recipe.cutout));
  line("mean", list(recipe.mean));
  line("deviation", list(recipe.deviation));
  line("seed", number(recipe.seed));
  line("threads", number(recipe.threads));
  return text;
}

double learning_rate(const Recipe& recipe, std::uint64_t steps_per_epoch, std::uint64_t step) {
  const double total = static_cast<double>(recipe.epochs) * static_cast<double>(steps_per_epoch);
  const double warmup = std::min(recipe.warmup_epochs * static_cast<double>(steps_per_epoch), total);
  const auto at = static_cast<double>(step);
  if (at < warmup) return recipe.learning_rate * (at + 1) / warmup;
  if (total <= warmup || at >= total) return 0;
  return recipe.learning_rate * 0.5 * (1 + std::cos(std::numbers::pi * (at - warmup) / (total - warmup)));
}

std::size_t resolutions_offered(const Recipe& recipe, std::uint64_t steps_per_epoch, std::uint64_t step) {
  const std::size_t count = recipe.space.resolutions.size();
  if (!recipe.progressive) return count;
  const double half = 0.5 * static_cast<double>(recipe.epochs) * static_cast<double>(steps_per_epoch);
  const double part = std::min(1.0, (static_cast<double>(step) + 1) / half);
  return std::clamp<std::size_t>(static_cast<std::size_t>(std::ceil(part * static_cast<double>(count))), 1,
                                 count);
}

}  // namespace dofa::train
