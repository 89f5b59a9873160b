// SPDX-License-Identifier: Apache-2.0
// Accuracy of a family's levels on labelled pictures, through the engine. Single-threaded.
#pragma once

#include <memory>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/engine/family.hpp"
#include "models/tool/pictures.hpp"

namespace dofa::tool {

/// Pictures whose class was among the first answers.
struct Hits {
  std::uint32_t top1 = 0;
  std::uint32_t top5 = 0;
};

/// One for each level. Makes the calling thread an inference thread. `label` heads the line of progress.
Result<std::vector<Hits>> evaluate(const std::shared_ptr<const engine::Family>& family, Pictures& pictures,
                                   const std::string& label);

/// What to record: the folder's own name, with the split where it holds CIFAR-10.
std::string dataset_name(const std::string& folder, const std::string& split);

}  // namespace dofa::tool
