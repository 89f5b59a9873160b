// SPDX-License-Identifier: Apache-2.0
// How a latency table is taken and made to fit: which sub-networks to run so that every layer is met, what to
// keep of their times, and the correction that makes sums of layers the time of networks. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/search/latency_table.hpp"

namespace dofa::search {

/// Full-depth sub-networks in which every kernel and ratio of every place comes twice, beside different
/// others: twice as many as a block has choices.
std::vector<Candidate> covering_networks(const Space& space, std::uint32_t resolution);

/// Random sub-networks over all resolutions, the same for the same seed, none twice; fewer than `count` where
/// the space has hardly more.
std::vector<Candidate> random_networks(const Space& space, std::size_t count, std::uint64_t seed);

/// A layer's time from one list of times (us) for each network that it ran in. Of each list the least counts,
/// as what the machine can do undisturbed, and the mean is over those; times beyond 1.5 times a list's median
/// are outliers and left out of the deviation and the count. Lists must not be empty.
LayerTime summarise(std::span<const std::vector<double>> runs);

/// What a correction is fitted on: a network's layers summed up without one, its elastic blocks, its time.
struct MeasuredNetwork {
  double sum_us = 0;
  double blocks = 0;
  double measured_us = 0;
};

/// scale, offset and price of a block with the least squares of relative errors. Where they cannot be told
/// apart (few networks, or all alike), a scale alone. Sets fit_error and networks too.
Correction fit_correction(std::span<const MeasuredNetwork> networks);
double corrected_us(const Correction& correction, const MeasuredNetwork& network);
/// Mean absolute error of the corrected sums, relative to the measured times.
double mean_error(const Correction& correction, std::span<const MeasuredNetwork> networks);

}  // namespace dofa::search
