// SPDX-License-Identifier: Apache-2.0
// Our side of the headline: Once-for-all sub-networks of the paper's supernet (width 1.2). The six levels of
// the paper carry the top-1 that was measured of them; smaller sub-networks, which nobody published, carry an
// estimate that errs on the low side. Values, no state.
#pragma once

#include <vector>

#include "tests/bench/engine/random_ofa.hpp"
#include "tests/bench/headline/pairs.hpp"

namespace dofa::bench {

struct OurNet {
  NamedNet net;
  Basis basis = Basis::kPublished;
  double top1 = 0;  ///< percent, published; 0 for a predicted one, whose estimate needs its multiply-adds
  double predictor = 0;  ///< what Once-for-all's accuracy predictor says, a fraction; biased, see below
};
/// Smallest first: the predicted ones, then the paper's levels.
[[nodiscard]] std::vector<OurNet> our_nets();

/// Estimate of a sub-network's ImageNet top-1 in percent. The predictor was fitted on images that the
/// supernet had been trained on and reads about 5 points high, so it is brought to scale by the straight line
/// (least squares) through the six published levels; and no estimate exceeds what the paper's own figure
/// shows at no more multiply-adds (published.hpp). Not a number where the figure shows nothing.
[[nodiscard]] double estimated_top1(double predictor, double mmacs);

}  // namespace dofa::bench
