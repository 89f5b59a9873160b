// SPDX-License-Identifier: Apache-2.0
// How good sub-networks of a half-trained supernet are: batch statistics from training images, then top-1 on
// images that training never sees, through the CPU kernels that will serve them. Stateless. Needs LibTorch.
#pragma once

#include <vector>

#include "daemon/base.hpp"
#include "daemon/engine/supernet.hpp"
#include "models/train/images.hpp"
#include "models/train/network.hpp"

namespace dofa::train {

/// How frames are prepared for what this recipe trains.
config::Preprocessing preprocessing_of(const Recipe& recipe);
/// The strides that no weight tells.
config::OfaSupernet strides_of(const Space& space);

/// Top-1 in 0..1 of each candidate on `validation`. `network` holds the weights that `weights` lists;
/// `calibration` is where the first `calibration_images` in random order come from. kNotSupported where the
/// kernels can't run one.
Result<std::vector<double>> validate(const Network& network, const engine::FloatTensors& weights,
                                     const std::vector<Candidate>& candidates, const Recipe& recipe,
                                     const Images& calibration, std::size_t calibration_images,
                                     const Images& validation, at::Device device = at::kCPU);

}  // namespace dofa::train
