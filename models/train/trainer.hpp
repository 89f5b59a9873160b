// SPDX-License-Identifier: Apache-2.0
// One run's weights and the step that changes them: sandwich of sub-networks, batch split over threads,
// gradients added in a fixed order, so that a run is the same each time on one machine. All it needs to go on
// after an interruption can be saved and put back. Not thread-safe; starts and joins its own threads. Needs
// LibTorch.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/base.hpp"
#include "daemon/engine/supernet.hpp"
#include "models/train/images.hpp"
#include "models/train/network.hpp"
#include "models/train/optimizer.hpp"
#include "models/train/recipe.hpp"

namespace dofa::train {

/// Sums over the images of a step or an epoch.
struct Tally {
  double images = 0;
  double correct = 0;       ///< of the largest sub-network (or the one alone), on varied training images
  double loss = 0;          ///< its cross-entropy, summed
  double student_loss = 0;  ///< divergence of the others from it, summed and averaged over them
  void add(const Tally& other);
};

class Trainer {
 public:
  /// `images` must outlive it and not be empty; `device`: the CPU, or a GPU, where activations are bfloat16.
  Trainer(const Recipe& recipe, const Images& images, at::Device device = at::kCPU);

  [[nodiscard]] std::uint64_t steps_per_epoch() const { return images_.size() / recipe_.batch; }
  [[nodiscard]] std::uint64_t step() const { return optimizer_.steps(); }
  [[nodiscard]] bool finished() const { return step() >= recipe_.epochs * steps_per_epoch(); }
  /// Sums since the epoch began.
  [[nodiscard]] const Tally& epoch_tally() const { return epoch_; }

  /// Trains on the next batch; kFailed with step and learning rate where the loss is NaN or infinite. Weights
  /// stay as they were then.
  Result<Tally> advance();

  /// The averaged weights, under the names of published checkpoints: the whole supernet's, also where one
  /// sub-network is trained alone. What that one does not use is as it started.
  [[nodiscard]] engine::FloatTensors averaged_weights();
  /// A network with the averaged weights, for validation.
  [[nodiscard]] Network averaged_network();

  /// Weights, velocities, averages of what is trained, position; reading gives kInvalidArgument where it is
  /// another network's.
  [[nodiscard]] engine::FloatTensors state();
  Result<void> set_state(const engine::FloatTensors& state);

 private:
  struct Slice;
  [[nodiscard]] std::vector<config::OfaArchitecture> students_of(std::uint64_t step) const;
  void run_slice(Slice& slice, std::uint64_t epoch) const;

  Recipe recipe_;
  const Images& images_;
  at::Device device_;
  Network network_;
  Optimizer optimizer_;
  std::vector<Network> replicas_;
  std::vector<std::uint32_t> order_;
  std::uint64_t order_epoch_ = UINT64_MAX;
  Tally epoch_;
};

}  // namespace dofa::train
