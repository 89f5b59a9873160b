// SPDX-License-Identifier: Apache-2.0
// How a supernet is trained: the numbers, their text form (kept beside an interrupted run, which goes on only
// with the same ones) and the learning rate they give for a step. Plain values and pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "daemon/base.hpp"
#include "models/train/space.hpp"

namespace dofa::train {

/// Single-stage training of all sub-networks at once (BigNAS, Yu et al., ECCV 2020): each step trains the
/// largest sub-network on the labels, the smallest and some random ones on the largest one's answers
/// ("sandwich rule" and "in-place distillation").
struct Recipe {
  Space space;
  /// Trained instead of all: this sub-network only, on the labels, at its own resolution. What it does not
  /// use of the supernet stays as it started.
  std::optional<Candidate> alone;
  std::uint32_t epochs = 60;
  std::uint32_t batch = 128;
  std::uint32_t random_subnets = 1;  ///< a step, besides the largest and the smallest
  std::uint32_t smallest_every = 1;  ///< the smallest takes part in every so many-th step
  double learning_rate = 0.2;        ///< at its highest; cosine to 0 (Loshchilov and Hutter, ICLR 2017)
  double warmup_epochs = 1;          ///< of linear rise
  double momentum = 0.9;             ///< Nesterov's
  double orthogonal_rate = 0.1;  ///< of pointwise convolutions' steps (Muon), relative to the rate; 0: plain
  double weight_decay = 5e-4;
  double label_smoothing = 0.05;
  double ema_decay = 0.998;        ///< a step, of the weights that are kept in the end
  bool progressive = true;         ///< larger inputs join during the first half (Tan and Le, ICML 2021)
  std::uint32_t crop_padding = 4;  ///< random shift in pixels, either way
  bool flip = true;                ///< mirror every other image
  bool vary = false;               ///< colours or shape of each image, at random (vary.hpp)
  std::uint32_t cutout = 0;        ///< side of a square that is blanked (DeVries and Taylor, 2017); 0: none
  std::array<float, 3> mean{0.4914F, 0.4822F, 0.4465F};  ///< of the training images, R G B in 0..1
  std::array<float, 3> deviation{0.2470F, 0.2435F, 0.2616F};
  std::uint64_t seed = 1;
  std::uint32_t threads = 2;  ///< each takes a slice of the batch, with batch statistics of its own
  bool operator==(const Recipe&) const = default;
};

/// kInvalidArgument says what does not fit together.
Result<void> check(const Recipe& recipe);

/// One "key value" a line, every number exact.
std::string to_text(const Recipe& recipe);

/// Rises from 0 over the warm-up, then half a cosine down to 0 at the end. `step` counts from 0.
double learning_rate(const Recipe& recipe, std::uint64_t steps_per_epoch, std::uint64_t step);

/// How many of the resolutions, from the smallest, are trained at this step.
std::size_t resolutions_offered(const Recipe& recipe, std::uint64_t steps_per_epoch, std::uint64_t step);

}  // namespace dofa::train
