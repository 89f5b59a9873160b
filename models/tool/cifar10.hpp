// SPDX-License-Identifier: Apache-2.0
// CIFAR-10 (Krizhevsky, 2009) as it lies on disks: its own binary files (data_batch_1.bin …, test_batch.bin:
// 3073 bytes a picture, the class and three planes of 32 x 32), or mosaics of 100 x 100 tiles (<batch>.webp
// with <batch>.labels, one byte a tile). Single-threaded.
#pragma once

#include <memory>
#include <string>

#include "models/tool/pictures.hpp"

namespace dofa::tool {

/// Whether the folder holds files of that split.
bool is_cifar10(const std::string& folder, const std::string& split);

/// Opens the folder that `query` names first. kInvalidArgument with the file for one of the wrong size.
Result<std::unique_ptr<Pictures>> open_cifar10(const PictureQuery& query);

}  // namespace dofa::tool
