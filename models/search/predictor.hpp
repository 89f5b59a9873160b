// SPDX-License-Identifier: Apache-2.0
// Top-1 accuracy of a sub-network guessed from its architecture alone, by the three-layer network that
// Once-for-all trains for it (Cai et al., ICLR 2020; its published weights are read as they are). The input
// is one-hot: for each of the 20 blocks its kernel size, then for each its expand ratio, then the resolution;
// blocks that are not there leave their part at 0. Immutable once made; predict() may run in any thread. The
// large products need LibTorch, its header does not.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daemon/base.hpp"
#include "daemon/engine/supernet.hpp"
#include "models/search/space.hpp"

namespace dofa::search {

/// What each input stands for.
struct Encoding {
  std::vector<std::uint8_t> kernels{3, 5, 7};
  std::vector<std::uint8_t> ratios{3, 4, 6};
  std::vector<std::uint32_t> resolutions{112, 128, 144, 160, 176, 192, 208, 224};
  /// The published weights of 112, 128 and 144 are as they were drawn (all within 1/sqrt(128), of norm 1):
  /// nobody trained them, and they promise the accuracy of 208 pixels.
  std::uint32_t least_trained = 160;
  bool operator==(const Encoding&) const = default;

  [[nodiscard]] std::size_t inputs() const {
    return kBlocks * (kernels.size() + ratios.size()) + resolutions.size();
  }
  /// The inputs that are 1, rising. kInvalidArgument where a value has no input.
  [[nodiscard]] Result<std::vector<std::uint32_t>> ones(const Candidate& candidate) const;
};

class AccuracyPredictor {
 public:
  /// From tensors "0.weight", "0.bias", "2.weight", … of a sequence of linear layers with ReLU between them.
  /// Predictors of `dofa-model train-predictor` hold an Encoding too, others have the published one.
  /// kInvalidArgument says what does not fit.
  static Result<AccuracyPredictor> make(const engine::FloatTensors& tensors);
  /// Reads such a file; kNotFound where it cannot be opened.
  static Result<AccuracyPredictor> read(const std::string& path);

  AccuracyPredictor(AccuracyPredictor&&) noexcept;
  AccuracyPredictor& operator=(AccuracyPredictor&&) noexcept;
  ~AccuracyPredictor();

  [[nodiscard]] const Encoding& encoding() const;
  /// Those that were trained.
  [[nodiscard]] std::vector<std::uint32_t> resolutions() const;
  /// Whether every choice of the space has a trained input; kNotSupported names one that has none.
  [[nodiscard]] Result<void> covers(const Space& space) const;

  /// Top-1 as a fraction, one each. The space must be covered.
  void predict(const Space& space, std::span<const Genome> genomes, std::span<double> top1) const;
  [[nodiscard]] Result<double> predict(const Candidate& candidate) const;

 private:
  struct Layers;
  explicit AccuracyPredictor(std::unique_ptr<Layers> layers);
  std::unique_ptr<Layers> layers_;
};

/// Between an Encoding and the tensors that a predictor's file keeps it in.
void store_encoding(const Encoding& encoding, engine::FloatTensors& tensors);

}  // namespace dofa::search
