// SPDX-License-Identifier: Apache-2.0
#include "models/tool/calibrating.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>

#include "daemon/engine/preprocess.hpp"
#include "models/tool/progress.hpp"

namespace dofa::tool {
namespace {

constexpr std::uint64_t kShuffleSeed = 1;

/// Pictures in random order, the same each time: folders sort them by class, and a batch must mix the
/// classes.
std::vector<std::size_t> shuffled(std::size_t count) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937_64 dice(kShuffleSeed);
  for (std::size_t i = count; i > 1; --i) std::swap(order[i - 1], order[dice() % i]);
  return order;
}

/// Preprocesses pictures for one input size into one tensor.
Result<at::Tensor> make_batch(const std::vector<Picture>& pictures, std::uint32_t side,
                              engine::Preprocessor& preprocessor) {
  at::Tensor images = at::empty({static_cast<std::int64_t>(pictures.size()), 3, side, side});
  const std::size_t floats = std::size_t{3} * side * side;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const std::span<float> out(images.data_ptr<float>() + i * floats, floats);
    if (const auto done = preprocessor.run(pictures[i].view, side, out); !done) return done.error();
  }
  return images;
}

}  // namespace

Result<void> show_pictures(const config::Preprocessing& preprocessing, Pictures& pictures, std::size_t batch,
                           std::span<const CalibrationJob> jobs, const std::string& label) {
  engine::Preprocessor preprocessor(preprocessing);
  const std::vector<std::size_t> order = shuffled(pictures.size());
  Progress progress(label, order.size());
  for (std::size_t start = 0; start < order.size(); start += batch) {
    std::vector<Picture> decoded;
    for (std::size_t i = start; i < std::min(start + batch, order.size()); ++i) {
      auto picture = pictures.load(order[i]);
      if (!picture) return picture.error();
      decoded.push_back(std::move(*picture));
    }
    std::map<std::uint32_t, at::Tensor> inputs;  // by their side, which sub-networks share
    for (const CalibrationJob& job : jobs) {
      if (!inputs.contains(job.resolution)) {
        auto images = make_batch(decoded, job.resolution, preprocessor);
        if (!images) return images.error();
        inputs.emplace(job.resolution, std::move(*images));
      }
      job.calibration->add(inputs.at(job.resolution));
    }
    progress.step(decoded.size());
  }
  return {};
}

}  // namespace dofa::tool
