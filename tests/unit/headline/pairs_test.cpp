// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/headline/pairs.hpp"

#include "tests/support/catch.hpp"

namespace dofa::bench {
namespace {
constexpr auto kPublished = Basis::kPublished;
constexpr auto kPredicted = Basis::kPredicted;

Contender contender(double top1, double ms, Basis basis = kPublished) {
  return {top1, ms, {}, basis};
}
}  // namespace

TEST_CASE("similar top-1 means ours is at least as accurate, and the fastest of those counts") {
  const std::vector<Contender> ours = {contender(70.0, 4), contender(72.0, 5), contender(72.5, 4.5),
                                       contender(75.0, 8)};
  struct Row {
    double peer_top1, peer_ms;
    int net;  // -1: none
    double ratio;
  };
  // Equal counts, a tenth of a point less does not.
  for (const Row& row : {Row{70.0, 8, 0, 2.0}, Row{70.1, 9, 2, 2.0}, Row{72.0, 18, 2, 4.0},
                         Row{72.6, 4, 3, 0.5}, Row{75.0, 12, 3, 1.5}, Row{75.1, 99, -1, 0}}) {
    INFO("a peer of " << row.peer_top1 << " % and " << row.peer_ms << " ms");
    const auto pairs = pair_up(ours, {contender(row.peer_top1, row.peer_ms)});
    REQUIRE(pairs.size() == 1);
    CHECK(pairs[0].at_top1.has_value() == (row.net >= 0));
    if (row.net < 0) continue;
    CHECK(*pairs[0].at_top1 == static_cast<std::size_t>(row.net));
    CHECK(pairs[0].speedup.ratio == Approx(row.ratio));
  }
}

TEST_CASE("similar latency means ours is at most as slow, and the most accurate of those counts") {
  const std::vector<Contender> ours = {contender(70.0, 4), contender(71.0, 5), contender(70.5, 6),
                                       contender(75.0, 8)};
  struct Row {
    double peer_top1, peer_ms;
    int net;
    double gain;
  };
  for (const Row& row : {Row{68.0, 4, 0, 2.0}, Row{68.0, 3.99, -1, 0}, Row{70.0, 7, 1, 1.0},
                         Row{76.0, 8, 3, -1.0}, Row{71.0, 80, 3, 4.0}}) {
    INFO("a peer of " << row.peer_top1 << " % and " << row.peer_ms << " ms");
    const auto pairs = pair_up(ours, {contender(row.peer_top1, row.peer_ms)});
    CHECK(pairs[0].at_latency.has_value() == (row.net >= 0));
    if (row.net < 0) continue;
    CHECK(*pairs[0].at_latency == static_cast<std::size_t>(row.net));
    CHECK(pairs[0].top1_gain == Approx(row.gain));
  }
}

TEST_CASE("published and predicted accuracies never mix") {
  const std::vector<Contender> ours = {contender(73.0, 2, kPredicted), contender(74.0, 5, kPublished)};
  const std::vector<Contender> peers = {contender(71.5, 10), contender(73.5, 4)};
  const auto pairs = pair_up(ours, peers);
  REQUIRE(pairs.size() == 4);
  CHECK(pairs[0].basis == kPublished);
  CHECK(*pairs[0].at_top1 == 1);
  CHECK(*pairs[0].at_latency == 1);
  CHECK(pairs[1].basis == kPredicted);
  CHECK(*pairs[1].at_top1 == 0);
  CHECK(*pairs[1].at_latency == 0);
  CHECK(*pairs[2].at_top1 == 1);
  CHECK_FALSE(pairs[2].at_latency.has_value());  // the published one is too slow, whatever the other does
  CHECK_FALSE(pairs[3].at_top1.has_value());     // the predicted one is not accurate enough
  CHECK(fastest(pairs, kPublished)->speedup.ratio == Approx(2.0));
  CHECK(fastest(pairs, kPredicted)->speedup.ratio == Approx(5.0));
  CHECK(most_accurate(pairs, kPublished)->top1_gain == Approx(2.5));
  CHECK(most_accurate(pairs, kPredicted)->top1_gain == Approx(1.5));
}

TEST_CASE("a basis that ours do not have makes no pairs and no headline") {
  const auto pairs = pair_up({contender(73.0, 2, kPredicted)}, {contender(71.5, 10)});
  REQUIRE(pairs.size() == 1);
  CHECK(pairs[0].basis == kPredicted);
  CHECK(fastest(pairs, kPublished) == nullptr);
  CHECK(most_accurate(pairs, kPublished) == nullptr);
  // Pairs without anybody similar make none either.
  const auto apart = pair_up({contender(60.0, 20)}, {contender(71.5, 10)});
  REQUIRE(apart.size() == 1);
  CHECK(fastest(apart, kPublished) == nullptr);
  CHECK(most_accurate(apart, kPublished) == nullptr);
}

TEST_CASE("the spread is that of the rounds' ratios, while the ratio is that of the smallest times") {
  Contender ours = contender(75, 2), peer = contender(70, 6);
  ours.round_ms = {2, 2, 4, 2, 2, 2, 2, 2, 2, 2, 2};
  peer.round_ms = {6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  // Ratios, sorted: 2, 3, 3.5, 4.5, 5, 5.5, 6, 6.5, 7, 7.5, 8.
  const Speedup s = pair_up({ours}, {peer})[0].speedup;
  CHECK(s.ratio == Approx(3));
  CHECK(s.median == Approx(5.5));
  CHECK(s.low == Approx(3));
  CHECK(s.high == Approx(7.5));
}

}  // namespace dofa::bench
