// SPDX-License-Identifier: Apache-2.0
// Labelled pictures as a training run wants them: all in memory, square, of one size. Single-threaded.
#pragma once

#include <string>

#include "daemon/base.hpp"
#include "models/train/images.hpp"

namespace dofa::tool {

/// Reads every picture of `split` ("train", "test", "fit", "validation"; see PictureQuery) of the data in
/// `folder`, its short side resized to `side` and the centre cut out. kNotFound, kInvalidArgument with the
/// file.
Result<train::Images> read_training_images(const std::string& folder, const std::string& split,
                                           std::uint32_t side);

}  // namespace dofa::tool
