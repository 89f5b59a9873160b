// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/headline/pairs.hpp"

#include <algorithm>
#include <cmath>

namespace dofa::bench {
namespace {

/// The q-quantile of sorted values, which are not empty.
double quantile_of(const std::vector<double>& sorted, double q) {
  return sorted[static_cast<std::size_t>(std::lround(q * static_cast<double>(sorted.size() - 1)))];
}

Speedup speedup(const Contender& ours, const Contender& peer) {
  Speedup s;
  s.ratio = s.median = s.low = s.high = peer.ms / ours.ms;
  std::vector<double> ratios;
  const std::size_t rounds = std::min(ours.round_ms.size(), peer.round_ms.size());
  for (std::size_t i = 0; i < rounds; ++i) ratios.push_back(peer.round_ms[i] / ours.round_ms[i]);
  if (ratios.empty()) return s;
  std::sort(ratios.begin(), ratios.end());
  s.median = quantile_of(ratios, 0.5);
  s.low = quantile_of(ratios, 0.1);
  s.high = quantile_of(ratios, 0.9);
  return s;
}

Pair pair(const std::vector<Contender>& ours, const std::vector<Contender>& peers, std::size_t index,
          Basis basis) {
  const Contender& peer = peers[index];
  Pair p;
  p.peer = index;
  p.basis = basis;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (ours[i].basis != basis) continue;
    if (ours[i].top1 >= peer.top1 && (!p.at_top1 || ours[i].ms < ours[*p.at_top1].ms)) p.at_top1 = i;
    if (ours[i].ms <= peer.ms && (!p.at_latency || ours[i].top1 > ours[*p.at_latency].top1)) p.at_latency = i;
  }
  if (p.at_top1) p.speedup = speedup(ours[*p.at_top1], peer);
  if (p.at_latency) p.top1_gain = ours[*p.at_latency].top1 - peer.top1;
  return p;
}
}  // namespace

std::vector<Pair> pair_up(const std::vector<Contender>& ours, const std::vector<Contender>& peers) {
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < peers.size(); ++i) {
    for (const Basis basis : {Basis::kPublished, Basis::kPredicted}) {
      if (std::any_of(ours.begin(), ours.end(), [&](const Contender& c) { return c.basis == basis; }))
        pairs.push_back(pair(ours, peers, i, basis));
    }
  }
  return pairs;
}

const Pair* fastest(const std::vector<Pair>& pairs, Basis basis) {
  const Pair* best = nullptr;
  for (const Pair& p : pairs) {
    if (p.basis == basis && p.at_top1 && (best == nullptr || p.speedup.ratio >= best->speedup.ratio))
      best = &p;
  }
  return best;
}

const Pair* most_accurate(const std::vector<Pair>& pairs, Basis basis) {
  const Pair* best = nullptr;
  for (const Pair& p : pairs) {
    if (p.basis == basis && p.at_latency && (best == nullptr || p.top1_gain >= best->top1_gain)) best = &p;
  }
  return best;
}

}  // namespace dofa::bench
