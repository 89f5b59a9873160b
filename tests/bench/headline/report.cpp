// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/headline/report.hpp"

#include <algorithm>
#include <cstdio>

#include "daemon/engine/kernels/simd.hpp"
#include "tests/bench/engine/options.hpp"
#include "tests/bench/headline/plot.hpp"
#include "tests/bench/svg.hpp"

namespace dofa::bench {
namespace {
using svg::append;

// What Lou et al. state for the CPU of a Jetson Xavier NX.
constexpr double kPaperSpeedup = 3.5, kPaperGain = 3.8;
constexpr Basis kBases[] = {Basis::kPublished, Basis::kPredicted};

const char* name_of(Basis basis) {
  return basis == Basis::kPublished ? "published" : "predicted";
}

double smallest(const MeasuredNet& net) {
  return *std::ranges::min_element(net.ms);
}

void write_nets(json::Writer& json, const Comparison& c) {
  json.key("nets").begin_array();
  for (const MeasuredNet& net : c.nets) {
    json.begin_object().member("name", net.name).member("macs", net.macs);
    json.member("ms_min", smallest(net)).member("ms_median", quantile(net.ms, 0.5));
    json.member("peak_fraction", c.peak_fraction(net)).end_object();
  }
  json.end_array();
}

void write_points(json::Writer& json, const Comparison& c) {
  json.key("ours").begin_array();
  for (const Comparison::Ours& our : c.ours) {
    json.begin_object().member("net", c.nets[our.net].name).member("top1", our.top1);
    json.member("basis", name_of(our.basis)).member("predictor", our.predictor).end_object();
  }
  json.end_array().key("peers").begin_array();
  for (const Comparison::Peer& peer : c.peers) {
    json.begin_object().member("name", peer.name()).member("net", c.nets[peer.net].name);
    json.member("family", name_of(peer.published.family)).member("width", peer.published.width);
    json.member("top1", peer.published.top1).member("from_figure", peer.published.from_figure).end_object();
  }
  json.end_array();
}

void write_pair(json::Writer& json, const Comparison& c, const Pair& pair) {
  json.begin_object().member("peer", c.peers[pair.peer].name()).member("basis", name_of(pair.basis));
  json.member("peer_top1", c.peers[pair.peer].published.top1);
  json.member("peer_ms_min", smallest(c.peer_net(pair.peer)));
  json.key("at_similar_top1");
  if (pair.at_top1) {
    json.begin_object().member("net", c.ours_net(*pair.at_top1).name);
    json.member("top1", c.ours[*pair.at_top1].top1).member("ms_min", smallest(c.ours_net(*pair.at_top1)));
    json.member("speedup", pair.speedup.ratio).member("speedup_median", pair.speedup.median);
    json.member("speedup_p10", pair.speedup.low).member("speedup_p90", pair.speedup.high).end_object();
  } else {
    json.value(nullptr);
  }
  json.key("at_similar_latency");
  if (pair.at_latency) {
    json.begin_object().member("net", c.ours_net(*pair.at_latency).name);
    json.member("top1", c.ours[*pair.at_latency].top1);
    json.member("ms_min", smallest(c.ours_net(*pair.at_latency))).member("top1_gain", pair.top1_gain);
    json.end_object();
  } else {
    json.value(nullptr);
  }
  json.end_object();
}

void write_headline(json::Writer& json, const Comparison& c) {
  json.key("cpu_speedup_at_similar_top1").begin_object();
  for (const Basis basis : kBases) {
    if (const Pair* best = fastest(c.pairs, basis)) json.member(name_of(basis), best->speedup.ratio);
  }
  json.end_object().key("cpu_speedup_spread").begin_object();
  for (const Basis basis : kBases) {
    if (const Pair* best = fastest(c.pairs, basis)) {
      json.key(name_of(basis)).begin_object().member("peer", c.peers[best->peer].name());
      json.member("net", c.ours_net(*best->at_top1).name).member("median", best->speedup.median);
      json.member("p10", best->speedup.low).member("p90", best->speedup.high).end_object();
    }
  }
  json.end_object().key("cpu_top1_gain_at_similar_latency").begin_object();
  for (const Basis basis : kBases) {
    if (const Pair* best = most_accurate(c.pairs, basis)) json.member(name_of(basis), best->top1_gain);
  }
  json.end_object();
  json.key("paper").begin_object().member("board", "Jetson Xavier NX");
  json.member("cpu_speedup_at_similar_top1", kPaperSpeedup);
  json.member("cpu_top1_gain_at_similar_latency", kPaperGain).end_object();
}

/// One basis's best pair in words; empty where there is none.
std::string headline_line(const Comparison& c, Basis basis) {
  const Pair *fast = fastest(c.pairs, basis), *accurate = most_accurate(c.pairs, basis);
  std::string text;
  if (fast != nullptr)
    append(text, "%s: %.2f x as fast at similar top-1 (%.2f to %.2f over the rounds; %s against %s)\n",
           name_of(basis), fast->speedup.ratio, fast->speedup.low, fast->speedup.high,
           c.ours_net(*fast->at_top1).name.c_str(), c.peers[fast->peer].name().c_str());
  if (accurate != nullptr)
    append(text, "%s: %+.1f points of top-1 at similar latency (%s against %s)\n", name_of(basis),
           accurate->top1_gain, c.ours_net(*accurate->at_latency).name.c_str(),
           c.peers[accurate->peer].name().c_str());
  return text;
}
}  // namespace

std::string Comparison::Peer::name() const {
  std::string text = bench::name_of(published.family);
  append(text, "-%.2f", published.width);
  return text;
}

void Comparison::compare() {
  std::vector<Contender> our_side, their_side;
  for (const Ours& our : ours)
    our_side.push_back({our.top1, smallest(nets[our.net]), nets[our.net].round_ms, our.basis});
  for (const Peer& peer : peers)
    their_side.push_back(
        {peer.published.top1, smallest(nets[peer.net]), nets[peer.net].round_ms, Basis::kPublished});
  pairs = pair_up(our_side, their_side);
}

double Comparison::peak_fraction(const MeasuredNet& net) const {
  return static_cast<double>(net.macs) / (smallest(net) * 1e-3) / peak_macs;
}

std::string headline_json(const Comparison& comparison) {
  json::Writer json;
  begin_report(json, "headline", 1);
  json.member("simd", engine::kernels::simd_target()).member("peak_gmacs", comparison.peak_macs / 1e9);
  write_nets(json, comparison);
  write_points(json, comparison);
  json.key("pairs").begin_array();
  for (const Pair& pair : comparison.pairs) write_pair(json, comparison, pair);
  json.end_array();
  write_headline(json, comparison);
  return json.end_object().text();
}

std::string headline_text(const Comparison& c) {
  std::string text;
  append(text, "%s, one thread, multiply-add peak %.1f GMAC/s\n", engine::kernels::simd_target().c_str(),
         c.peak_macs / 1e9);
  for (const MeasuredNet& net : c.nets)
    append(text, "%-22s %4.0f MMAC  min %7.3f ms  median %7.3f ms  %3.0f %% of peak\n", net.name.c_str(),
           static_cast<double>(net.macs) / 1e6, smallest(net), quantile(net.ms, 0.5),
           100 * c.peak_fraction(net));
  for (const Pair& pair : c.pairs) {
    append(text, "%-27s %5.1f %%  %-9s", c.peers[pair.peer].name().c_str(), c.peers[pair.peer].published.top1,
           name_of(pair.basis));
    if (pair.at_top1)
      append(text, "  %-16s %4.1f %% %5.2f x as fast (%.2f-%.2f)", c.ours_net(*pair.at_top1).name.c_str(),
             c.ours[*pair.at_top1].top1, pair.speedup.ratio, pair.speedup.low, pair.speedup.high);
    if (pair.at_latency)
      append(text, "  %-16s %+.1f points", c.ours_net(*pair.at_latency).name.c_str(), pair.top1_gain);
    text += '\n';
  }
  for (const Basis basis : kBases) text += headline_line(c, basis);
  append(text, "paper (CPU of a Jetson Xavier NX): %.1f x, %+.1f points\n", kPaperSpeedup, kPaperGain);
  return text;
}

std::string headline_svg(const Comparison& c) {
  std::vector<PlotSeries> series;
  for (const Basis basis : kBases) {
    PlotSeries s{
        basis == Basis::kPublished ? "Dynamic-OFA, published top-1" : "Once-for-all, estimated top-1",
        {},
        true,
        basis == Basis::kPredicted};
    for (const Comparison::Ours& our : c.ours) {
      if (our.basis == basis) s.points.push_back({smallest(c.nets[our.net]), our.top1});
    }
    series.push_back(std::move(s));
  }
  for (const PeerFamily family : {PeerFamily::kSlimmableV1, PeerFamily::kUsV1, PeerFamily::kUsV2}) {
    PlotSeries s{bench::name_of(family), {}, false, false};
    for (const Comparison::Peer& peer : c.peers) {
      if (peer.published.family == family)
        s.points.push_back({smallest(c.nets[peer.net]), peer.published.top1});
    }
    series.push_back(std::move(s));
  }
  std::erase_if(series, [](const PlotSeries& s) { return s.points.empty(); });
  std::vector<PlotArrow> arrows;
  for (PlotSeries& s : series) std::ranges::sort(s.points, {}, &PlotPoint::ms);
  for (const Basis basis : kBases) {
    const Pair* best = fastest(c.pairs, basis);
    if (best == nullptr) continue;
    std::string label;
    append(label, "%.1f x", best->speedup.ratio);
    arrows.push_back({{smallest(c.peer_net(best->peer)), c.peers[best->peer].published.top1},
                      {smallest(c.ours_net(*best->at_top1)), c.ours[*best->at_top1].top1},
                      label});
  }
  return plot_headline("Top-1 over latency, one thread, " + cpu_name(), series, arrows);
}

}  // namespace dofa::bench
