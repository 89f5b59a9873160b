// SPDX-License-Identifier: Apache-2.0
// What papers state about the networks compared: facts in tables, each with its source. ImageNet top-1 in
// percent of networks that somebody else trained and measured; nothing here was measured by us.
#pragma once

#include <cstdint>
#include <span>

namespace dofa::bench {

enum class PeerFamily : std::uint8_t { kSlimmableV1, kUsV1, kUsV2 };
/// E.g. "us-mobilenet-v1".
[[nodiscard]] const char* name_of(PeerFamily family);

struct PublishedPeer {
  PeerFamily family = PeerFamily::kSlimmableV1;
  double width = 1;
  double top1 = 0;
  int mmacs = 0;             ///< million multiply-adds at 224x224
  bool from_figure = false;  ///< read off a figure, about +-0.3 points; otherwise from a table
};
/// The dynamic networks that Lou et al. (CVPRW 2021) compare Dynamic-OFA with, by family and width.
[[nodiscard]] std::span<const PublishedPeer> published_peers();

/// Top-1 that Lou et al. measured of their six levels (width 1.2), fastest first.
[[nodiscard]] std::span<const double> published_levels_top1();

/// Dynamic-OFA in Lou et al.'s figure of top-1 over multiply-adds, ascending. The architectures behind it are
/// not published.
struct FigurePoint {
  double mmacs = 0;
  double top1 = 0;
};
[[nodiscard]] std::span<const FigurePoint> flops_figure();

/// Top-1 of the figure's last point that has no more multiply-adds than these: it is read, not drawn on. Not
/// a number below its first point.
[[nodiscard]] double figure_top1(double mmacs);

}  // namespace dofa::bench
