// SPDX-License-Identifier: Apache-2.0
// A whole training run in a folder: recipe.txt (what it was started with), state.pt (where it stands,
// replaced at once), log.csv (one line an epoch). A run that was interrupted, by a signal or by a crash, goes
// on from the last state and writes the same log as one that was not. Needs LibTorch.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "daemon/base.hpp"
#include "models/train/trainer.hpp"

namespace dofa::train {

/// Where a run stands, for whoever watches.
struct RunProgress {
  std::uint64_t epoch = 0;  ///< from 1
  std::uint64_t epochs = 0;
  std::uint64_t step = 0;  ///< of the epoch
  std::uint64_t steps = 0;
  Tally tally;  ///< of the epoch
  double images_per_second = 0;
  double seconds_left = 0;
};

struct RunOptions {
  std::string folder;                ///< made where it is missing
  bool resume = false;               ///< go on where a run there stopped; otherwise such a run is refused
  double checkpoint_minutes = 5;     ///< between states within an epoch
  std::uint32_t validate_every = 1;  ///< epochs
  std::size_t calibration_images = 2000;
  at::Device device = at::kCPU;
  const std::atomic<bool>* stop = nullptr;  ///< set: save and return
  std::function<void(const RunProgress&)> watch = [](const RunProgress&) {};
  std::function<void(const std::string&)> log_line = [](const std::string&) {};  ///< what log.csv got
};

struct RunResult {
  bool finished = false;         ///< false: stopped, to be resumed
  engine::FloatTensors weights;  ///< averaged
};

/// Trains on `images` until the recipe is done. Errors: kAlreadyExists, kInvalidArgument (a run of another
/// recipe), kFailed (loss not a number, folder not writable).
Result<RunResult> run(const Recipe& recipe, const Images& images, const Images& validation,
                      const RunOptions& options);

}  // namespace dofa::train
