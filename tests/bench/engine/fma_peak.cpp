// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/engine/fma_peak.hpp"

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/bench/engine/fma_peak.cpp"
#include <hwy/foreach_target.h>
// After foreach_target, as Highway asks.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace dofa::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Chains enough to hide a multiply-add's latency of 4-5 cycles on two or four units. Returns the
/// multiply-adds done.
double multiply_add(int rounds, float* sink) {
  const hn::CappedTag<float, 16> d;
  using V = hn::Vec<decltype(d)>;
  const V x = hn::Set(d, 0.999f), y = hn::Set(d, 1e-3f);
  // Chains that start alike would be merged into one.
  const auto start = [&](int chain) HWY_ATTR { return hn::Set(d, 1.0f + static_cast<float>(chain)); };
  V a = start(1), b = start(2), c = start(3), e = start(4), f = start(5), g = start(6);
  V h = start(7), i = start(8), j = start(9), k = start(10), l = start(11), m = start(12);
  for (int r = 0; r < rounds; ++r) {
    a = hn::MulAdd(a, x, y);
    b = hn::MulAdd(b, x, y);
    c = hn::MulAdd(c, x, y);
    e = hn::MulAdd(e, x, y);
    f = hn::MulAdd(f, x, y);
    g = hn::MulAdd(g, x, y);
    h = hn::MulAdd(h, x, y);
    i = hn::MulAdd(i, x, y);
    j = hn::MulAdd(j, x, y);
    k = hn::MulAdd(k, x, y);
    l = hn::MulAdd(l, x, y);
    m = hn::MulAdd(m, x, y);
  }
  const V ab = hn::Add(hn::Add(a, b), hn::Add(c, e)), cd = hn::Add(hn::Add(f, g), hn::Add(h, i));
  *sink += hn::GetLane(hn::Add(hn::Add(ab, cd), hn::Add(hn::Add(j, k), hn::Add(l, m))));
  return 12.0 * rounds * static_cast<double>(hn::Lanes(d));
}

}  // namespace dofa::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <chrono>
#include <vector>

namespace dofa::bench {
HWY_EXPORT(multiply_add);

double fma_peak_per_second(engine::kernels::Team& team) {
  constexpr int kTries = 20, kRounds = 400'000;
  const auto function = HWY_DYNAMIC_DISPATCH(multiply_add);
  std::vector<float> sinks(static_cast<std::size_t>(team.workers()) * 16);
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    std::vector<double> done(static_cast<std::size_t>(team.workers()));
    const auto start = std::chrono::steady_clock::now();
    team.for_each(team.workers(), [&](int unit, int) {
      done[static_cast<std::size_t>(unit)] = function(kRounds, &sinks[static_cast<std::size_t>(unit) * 16]);
    });
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    double total = 0;
    for (const double part : done) total += part;
    best = std::max(best, total / elapsed.count());
  }
  return best;
}

}  // namespace dofa::bench
#endif  // HWY_ONCE
