// SPDX-License-Identifier: Apache-2.0
// What dofa-bench headline measured, and its three forms: JSON (fields in DESIGN §9), words and a picture.
// Values and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/headline/pairs.hpp"
#include "tests/bench/headline/published.hpp"

namespace dofa::bench {

/// A network that was timed, on one thread, from a float tensor to logits.
struct MeasuredNet {
  std::string name;
  std::int64_t macs = 0;
  std::vector<double> ms;        ///< every run
  std::vector<double> round_ms;  ///< smallest of each round
};

struct Comparison {
  struct Ours {
    std::size_t net = 0;  ///< index into nets
    Basis basis = Basis::kPublished;
    double top1 = 0;
    double predictor = 0;  ///< the unscaled prediction, a fraction
  };
  struct Peer {
    PublishedPeer published;
    std::size_t net = 0;
    [[nodiscard]] std::string name() const;
  };

  std::vector<MeasuredNet> nets;
  std::vector<Ours> ours;
  std::vector<Peer> peers;
  double peak_macs = 0;  ///< multiply-adds a second that one thread can do at most

  std::vector<Pair> pairs;  ///< indices into ours and peers
  /// Fills `pairs` once the nets are measured.
  void compare();

  [[nodiscard]] const MeasuredNet& ours_net(std::size_t i) const { return nets[ours[i].net]; }
  [[nodiscard]] const MeasuredNet& peer_net(std::size_t i) const { return nets[peers[i].net]; }
  [[nodiscard]] double peak_fraction(const MeasuredNet& net) const;
};

[[nodiscard]] std::string headline_json(const Comparison& comparison);
[[nodiscard]] std::string headline_text(const Comparison& comparison);
[[nodiscard]] std::string headline_svg(const Comparison& comparison);

}  // namespace dofa::bench
