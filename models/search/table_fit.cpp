// SPDX-License-Identifier: Apache-2.0
#include "models/search/table_fit.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_set>

#include "models/search/nsga2.hpp"

namespace dofa::search {
namespace {

constexpr double kOutlier = 1.5;  // of the median
constexpr std::size_t kUnknowns = 3;
constexpr double kLeastScale = 0.3, kLargestScale = 3;  // beyond these a fit has gone astray
using Row = std::array<double, kUnknowns>;

/// Gaussian elimination with pivoting of the normal equations; false where they have no unique solution.
bool solve(std::array<Row, kUnknowns> a, Row b, Row& x) {
  for (std::size_t column = 0; column < kUnknowns; ++column) {
    std::size_t pivot = column;
    for (std::size_t row = column + 1; row < kUnknowns; ++row)
      if (std::abs(a[row][column]) > std::abs(a[pivot][column])) pivot = row;
    if (std::abs(a[pivot][column]) < 1e-9) return false;
    std::swap(a[pivot], a[column]);
    std::swap(b[pivot], b[column]);
    for (std::size_t row = column + 1; row < kUnknowns; ++row) {
      const double factor = a[row][column] / a[column][column];
      for (std::size_t i = column; i < kUnknowns; ++i) a[row][i] -= factor * a[column][i];
      b[row] -= factor * b[column];
    }
  }
  for (std::size_t row = kUnknowns; row-- > 0;) {
    double sum = b[row];
    for (std::size_t i = row + 1; i < kUnknowns; ++i) sum -= a[row][i] * x[i];
    x[row] = sum / a[row][row];
  }
  return true;
}

Correction scale_alone(std::span<const MeasuredNetwork> networks) {
  double squares = 0, products = 0;
  for (const MeasuredNetwork& network : networks) {
    const double ratio = network.sum_us / network.measured_us;
    squares += ratio * ratio;
    products += ratio;
  }
  Correction correction;
  if (squares > 0) correction.scale = products / squares;
  return correction;
}

Candidate candidate_at(const Space& space, std::uint32_t resolution,
                       const std::array<std::size_t, kBlocks>& combos) {
  Candidate candidate;
  candidate.resolution = resolution;
  candidate.architecture.depths.fill(space.depths.back());
  for (std::size_t i = 0; i < kBlocks; ++i) {
    candidate.architecture.kernel_sizes[i] = space.kernels[combos[i] / space.ratios.size()];
    candidate.architecture.expand_ratios[i] = space.ratios[combos[i] % space.ratios.size()];
  }
  return candidate;
}

}  // namespace

std::vector<Candidate> covering_networks(const Space& space, std::uint32_t resolution) {
  const std::size_t choices = space.kernels.size() * space.ratios.size();
  std::vector<Candidate> networks;
  for (std::size_t i = 0; i < 2 * choices; ++i) {
    std::array<std::size_t, kBlocks> combos{};
    for (std::size_t place = 0; place < kBlocks; ++place)  // rising in one half, falling in the other
      combos[place] = i < choices ? (i + 2 * place) % choices : ((choices - 1) * i + 5 * place) % choices;
    networks.push_back(candidate_at(space, resolution, combos));
  }
  return networks;
}

std::vector<Candidate> random_networks(const Space& space, std::size_t count, std::uint64_t seed) {
  Dice dice(seed);
  std::unordered_set<Genome, GenomeHash> met;
  std::vector<Candidate> networks;
  for (std::size_t tries = 0; networks.size() < count && tries < 100 * count; ++tries) {
    const Genome genome = canonical(space, random_genome(space, dice));
    if (met.insert(genome).second) networks.push_back(candidate_of(space, genome));
  }
  return networks;
}

LayerTime summarise(std::span<const std::vector<double>> runs) {
  LayerTime time;
  double squares = 0;
  for (std::vector<double> times : runs) {
    std::ranges::sort(times);
    time.mean_us += times.front() / static_cast<double>(runs.size());
    const double most = kOutlier * times[times.size() / 2];
    const auto end = std::ranges::upper_bound(times, most);
    const auto kept = static_cast<double>(end - times.begin());
    double mean = 0;
    for (auto i = times.begin(); i != end; ++i) mean += *i / kept;
    for (auto i = times.begin(); i != end; ++i) squares += (*i - mean) * (*i - mean);
    time.count += static_cast<std::uint32_t>(kept);
  }
  time.std_us = std::sqrt(squares / time.count);
  return time;
}

Correction fit_correction(std::span<const MeasuredNetwork> networks) {
  std::array<Row, kUnknowns> normal{};
  Row right{}, solution{};
  for (const MeasuredNetwork& network : networks) {
    const Row row{network.sum_us / network.measured_us, 1000 / network.measured_us,
                  1000 * network.blocks / network.measured_us};
    for (std::size_t i = 0; i < kUnknowns; ++i) {
      for (std::size_t j = 0; j < kUnknowns; ++j) normal[i][j] += row[i] * row[j];
      right[i] += row[i];
    }
  }
  Correction correction = scale_alone(networks);
  if (networks.size() > 2 * kUnknowns && solve(normal, right, solution) && solution[0] > kLeastScale &&
      solution[0] < kLargestScale)
    correction = {solution[0], 1000 * solution[1], 1000 * solution[2], 0, 0, 0};
  correction.networks = static_cast<std::uint32_t>(networks.size());
  correction.fit_error = mean_error(correction, networks);
  return correction;
}

double corrected_us(const Correction& correction, const MeasuredNetwork& network) {
  return correction.scale * network.sum_us + correction.offset_us + correction.block_us * network.blocks;
}

double mean_error(const Correction& correction, std::span<const MeasuredNetwork> networks) {
  double sum = 0;
  for (const MeasuredNetwork& network : networks)
    sum += std::abs(corrected_us(correction, network) / network.measured_us - 1);
  return networks.empty() ? 0 : sum / static_cast<double>(networks.size());
}

}  // namespace dofa::search
