// SPDX-License-Identifier: Apache-2.0
// Fits an accuracy predictor of our own from sub-networks that were evaluated: one hidden layer, full-batch
// AdamW (Loshchilov & Hutter, ICLR 2019) on standardised accuracies. Takes seconds for hundreds of
// sub-networks. Needs LibTorch; stateless, the same samples give the same predictor.
#pragma once

#include <cstdint>
#include <span>

#include "daemon/base.hpp"
#include "models/search/predictor.hpp"

namespace dofa::search {

struct Sample {
  Candidate candidate;
  double top1 = 0;  ///< fraction
};

struct Fit {
  engine::FloatTensors tensors;  ///< of a predictor fitted on all samples, with its encoding
  std::size_t held_out = 0;      ///< samples that the next two figures are of; another fit did not see them
  double mean_error = 0;         ///< mean absolute error, as a fraction of 1
  double kendall_tau = 0;        ///< agreement in order, 1 = the same
};

/// kInvalidArgument for fewer than 10 samples, or where the encoding lacks a value.
Result<Fit> fit_predictor(const Encoding& encoding, std::span<const Sample> samples);

/// Kendall's tau-a of two lists of equal length.
double kendall_tau(std::span<const double> a, std::span<const double> b);

}  // namespace dofa::search
