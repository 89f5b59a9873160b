// SPDX-License-Identifier: Apache-2.0
// The rule by which networks are compared, as pure functions over plain numbers: at similar top-1 the fastest
// of ours that is at least as accurate as the peer, at similar latency the most accurate of ours that is at
// most as slow. Ours whose accuracy was published and ours whose accuracy is predicted never mix.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace dofa::bench {

/// Whether somebody measured the accuracy and printed it, or it is an estimate.
enum class Basis { kPublished, kPredicted };

/// A network's accuracy and time. Index i of `round_ms` is the same round for all networks compared.
struct Contender {
  double top1 = 0;               ///< percent
  double ms = 0;                 ///< smallest time
  std::vector<double> round_ms;  ///< smallest time of each round
  Basis basis = Basis::kPublished;
};

/// Their time over ours.
struct Speedup {
  double ratio = 0;   ///< of the smallest times
  double median = 0;  ///< over the rounds
  double low = 0;     ///< the 10 % and 90 % quantiles over the rounds
  double high = 0;
};

/// One peer against ours of one basis. Indices into `ours`; none where nobody qualifies.
struct Pair {
  std::size_t peer = 0;
  Basis basis = Basis::kPublished;
  std::optional<std::size_t> at_top1;     ///< fastest of ours with top1 >= the peer's
  std::optional<std::size_t> at_latency;  ///< most accurate of ours with ms <= the peer's
  Speedup speedup;                        ///< of at_top1
  double top1_gain = 0;                   ///< points, of at_latency; below 0 where the peer is better
};

/// Every peer against ours of each basis that has any, peer by peer.
[[nodiscard]] std::vector<Pair> pair_up(const std::vector<Contender>& ours,
                                        const std::vector<Contender>& peers);

/// The pair of the largest speed-up, and that of the largest gain in top-1, the later where two are equal;
/// null where there is none.
[[nodiscard]] const Pair* fastest(const std::vector<Pair>& pairs, Basis basis);
[[nodiscard]] const Pair* most_accurate(const std::vector<Pair>& pairs, Basis basis);

}  // namespace dofa::bench
