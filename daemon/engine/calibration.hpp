// SPDX-License-Identifier: Apache-2.0
// Batch statistics of a sub-network from images, as Once-for-all's set_running_statistics takes them: every
// batch is normalised with its own mean and biased variance, and a layer's statistics are the averages of
// those over the batches, weighted by the images in each. One Calibration belongs to one thread. Needs
// LibTorch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <vector>

#include "daemon/engine/subnet.hpp"

namespace dofa::engine {

class Calibration {
 public:
  /// `supernet` must outlive it; the subnet's own statistics, if any, are not used.
  Calibration(const Supernet& supernet, Subnet subnet) : supernet_(supernet), subnet_(std::move(subnet)) {}
  Calibration(const Calibration&) = delete;  // sums_ points into subnet_
  Calibration& operator=(const Calibration&) = delete;

  /// Runs one batch, (N, 3, resolution, resolution) normalised float32.
  void add(const at::Tensor& images);
  /// The averages so far; empty before the first batch.
  [[nodiscard]] Statistics statistics();

 private:
  struct Sums {
    std::vector<double> mean;
    std::vector<double> variance;
  };

  at::Tensor normalise(const at::Tensor& x, const BatchNorm& norm, const Moments& moments);

  const Supernet& supernet_;
  Subnet subnet_;
  std::map<const Moments*, Sums> sums_;
  std::int64_t images_ = 0;
};

}  // namespace dofa::engine
