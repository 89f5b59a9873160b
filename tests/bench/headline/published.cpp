// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/headline/published.hpp"

#include <limits>

namespace dofa::bench {
namespace {

constexpr PublishedPeer kPeers[] = {
    // Yu et al., "Slimmable Neural Networks", ICLR 2019: table of S-MobileNet v1.
    {PeerFamily::kSlimmableV1, 0.25, 53.1, 41, false},
    {PeerFamily::kSlimmableV1, 0.50, 64.2, 150, false},
    {PeerFamily::kSlimmableV1, 0.75, 68.8, 325, false},
    {PeerFamily::kSlimmableV1, 1.00, 71.5, 569, false},
    // Yu and Huang, "Universally Slimmable Networks", ICCV 2019: figures of US-MobileNet v1 and v2.
    {PeerFamily::kUsV1, 0.25, 55.7, 41, true},
    {PeerFamily::kUsV1, 0.50, 64.2, 150, true},
    {PeerFamily::kUsV1, 0.75, 69.5, 325, true},
    {PeerFamily::kUsV1, 1.00, 71.8, 569, true},
    {PeerFamily::kUsV2, 0.35, 62.3, 59, true},
    {PeerFamily::kUsV2, 0.50, 65.0, 97, true},
    {PeerFamily::kUsV2, 0.75, 69.5, 209, true},
    {PeerFamily::kUsV2, 1.00, 71.5, 301, true},
};

// UoS-EEC/DynamicOFA, the levels of its runtime manager.
constexpr double kLevelsTop1[] = {74.202, 74.968, 76.134, 77.540, 78.346, 79.030};

// Lou et al., CVPRW 2021: the figure of ImageNet top-1 over multiply-adds, read by eye.
constexpr FigurePoint kFigure[] = {{95, 68.9},  {139, 72.9}, {199, 74.9}, {275, 76.1},
                                   {337, 77.5}, {497, 78.3}, {693, 79.0}};
}  // namespace

const char* name_of(PeerFamily family) {
  switch (family) {
    case PeerFamily::kSlimmableV1:
      return "slimmable-mobilenet-v1";
    case PeerFamily::kUsV1:
      return "us-mobilenet-v1";
    case PeerFamily::kUsV2:
      return "us-mobilenet-v2";
  }
  return "";
}

std::span<const PublishedPeer> published_peers() {
  return kPeers;
}

std::span<const double> published_levels_top1() {
  return kLevelsTop1;
}

std::span<const FigurePoint> flops_figure() {
  return kFigure;
}

double figure_top1(double mmacs) {
  double top1 = std::numeric_limits<double>::quiet_NaN();
  for (const FigurePoint& point : kFigure) {
    if (point.mmacs <= mmacs) top1 = point.top1;
  }
  return top1;
}

}  // namespace dofa::bench
