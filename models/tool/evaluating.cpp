// SPDX-License-Identifier: Apache-2.0
#include "models/tool/evaluating.hpp"

#include <filesystem>

#include "daemon/engine/thread.hpp"
#include "models/tool/progress.hpp"

namespace dofa::tool {
namespace {

/// Classes ahead of `label`: those of higher logit, and of equal logit those of lower index.
std::size_t rank_of(std::span<const float> logits, std::uint32_t label) {
  std::size_t ahead = 0;
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (logits[i] > logits[label] || (logits[i] == logits[label] && i < label)) ++ahead;
  return ahead;
}

}  // namespace

Result<std::vector<Hits>> evaluate(const std::shared_ptr<const engine::Family>& family, Pictures& pictures,
                                   const std::string& label) {
  engine::prepare_inference_thread(true);
  auto runner = family->make_runner(family);
  if (!runner) return runner.error();
  std::vector<Hits> hits(family->levels().size());
  Progress progress(label, pictures.size());
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const std::uint32_t truth = pictures.label(i).value();
    if (truth >= family->description().classes)
      return Error{ErrorCode::kInvalidArgument,
                   "the pictures have class " + std::to_string(truth) + " where the family knows " +
                       std::to_string(family->description().classes) + " classes"};
    const auto picture = pictures.load(i);
    if (!picture) return picture.error();
    for (std::uint32_t level = 0; level < hits.size(); ++level) {
      if (const auto ready = (*runner)->prepare(level, picture->view); !ready) return ready.error();
      const auto logits = (*runner)->run(level);
      if (!logits) return logits.error();
      const std::size_t rank = rank_of(*logits, truth);
      hits[level].top1 += rank < 1 ? 1 : 0;
      hits[level].top5 += rank < 5 ? 1 : 0;
    }
    progress.step();
  }
  return hits;
}

std::string dataset_name(const std::string& folder, const std::string& split) {
  std::string name =
      std::filesystem::absolute(folder + "/.").lexically_normal().parent_path().filename().string();
  return std::filesystem::exists(folder + "/test_batch.labels") ? name + "-" + split : name;
}

}  // namespace dofa::tool
