// SPDX-License-Identifier: Apache-2.0
// The tables of published facts against the files that they were taken from (where those are at hand), and
// the estimate of unpublished accuracies.
#include "tests/bench/headline/published.hpp"

#include <ATen/ATen.h>
#include <yaml-cpp/yaml.h>

#include <cmath>
#include <string>

#include "daemon/engine/checkpoint/checkpoint.hpp"
#include "daemon/engine/ofa_model.hpp"
#include "tests/bench/headline/ours.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ofa/files.hpp"

namespace dofa::bench {
namespace {
using engine::test::shared_path;

std::int64_t macs(const OurNet& our, const engine::Supernet& supernet) {
  const auto subnet = engine::extract_subnet(supernet, our.net.architecture);
  REQUIRE(subnet.ok());
  return static_cast<std::int64_t>(engine::count_macs(supernet, *subnet, our.net.resolution));
}

/// Once-for-all's input to its predictor: kernel sizes, then expand ratios, three numbers a block of which
/// one is 1 (none where the block is skipped), then the resolution from 112 to 224 in steps of 16.
at::Tensor encoded(const NamedNet& net) {
  at::Tensor features = at::zeros({1, 128});
  auto f = features.accessor<float, 2>();
  for (std::int64_t i = 0; i < 20; ++i) {
    const auto block = static_cast<std::size_t>(i);
    if (i % 4 >= net.architecture.depths[block / 4]) continue;
    const int ratio = net.architecture.expand_ratios[block];
    f[0][3 * i + (net.architecture.kernel_sizes[block] - 3) / 2] = 1;
    f[0][60 + 3 * i + (ratio == 6 ? 2 : ratio - 3)] = 1;
  }
  f[0][120 + (net.resolution - 112) / 16] = 1;
  return features;
}
}  // namespace

TEST_CASE("the competitors are those of the published papers") {
  const std::string path = shared_path("reference/paper/peers.json");
  if (path.empty()) return;
  const YAML::Node file = YAML::LoadFile(path);  // JSON is YAML
  std::size_t next = 0;
  const auto peers = published_peers();
  for (const auto& [key, family] : {std::pair{"slimmable_mobilenet_v1", PeerFamily::kSlimmableV1},
                                    {"us_mobilenet_v1", PeerFamily::kUsV1},
                                    {"us_mobilenet_v2", PeerFamily::kUsV2}}) {
    for (const YAML::Node& entry : file[key]) {
      REQUIRE(next < peers.size());
      const PublishedPeer& peer = peers[next++];
      INFO(key << " " << peer.width);
      CHECK(peer.family == family);
      CHECK(peer.width == entry["width"].as<double>());
      CHECK(peer.top1 == entry["top1"].as<double>());
      CHECK(peer.mmacs == entry["mmacs"].as<int>());
      CHECK(peer.from_figure == entry["source"].IsDefined());
      CHECK(entry["resolution"].as<int>() == 224);
    }
  }
  CHECK(next == peers.size());
  const YAML::Node figure = file["dynamic_ofa_flops_figure"];
  REQUIRE(figure.size() == flops_figure().size());
  for (std::size_t i = 0; i < figure.size(); ++i) {
    CHECK(flops_figure()[i].mmacs == figure[i]["mmacs"].as<double>());
    CHECK(flops_figure()[i].top1 == figure[i]["top1"].as<double>());
  }
}

TEST_CASE("the levels are the paper's") {
  const std::string path = shared_path("reference/paper/levels_6.json");
  if (path.empty()) return;
  const YAML::Node levels = YAML::LoadFile(path)["levels"];
  std::size_t next = 0;
  for (const OurNet& our : our_nets()) {
    if (our.basis != Basis::kPublished) continue;
    REQUIRE(next < levels.size());
    const YAML::Node level = levels[next++];
    INFO(our.net.name);
    CHECK(our.top1 == level["top1"].as<double>());
    CHECK(our.net.resolution == level["r"].as<unsigned>());
    for (std::size_t i = 0; i < 20; ++i) {
      CHECK(our.net.architecture.kernel_sizes[i] == level["ks"][i].as<unsigned>());
      CHECK(our.net.architecture.expand_ratios[i] == level["e"][i].as<unsigned>());
    }
    for (std::size_t i = 0; i < 5; ++i) CHECK(our.net.architecture.depths[i] == level["d"][i].as<unsigned>());
  }
  CHECK(next == levels.size());
}

TEST_CASE("the predictions are what Once-for-all's predictor says") {
  const std::string path = shared_path("reference/paper/accuracy_predictor.pt");
  if (path.empty()) return;
  const auto file = checkpoint::read_checkpoint(path);
  REQUIRE(file.ok());
  const auto tensor = [&](const std::string& name) {
    const checkpoint::Tensor& stored = file->tensors().at(name);
    const auto floats = checkpoint::to_floats(stored);
    REQUIRE(floats.ok());
    return at::tensor(*floats).reshape(stored.shape);
  };
  for (const OurNet& our : our_nets()) {
    INFO(our.net.name);
    at::Tensor x = encoded(our.net);
    for (int layer = 0; layer <= 6; layer += 2) {
      x = at::linear(x, tensor(std::to_string(layer) + ".weight"), tensor(std::to_string(layer) + ".bias"));
      if (layer < 6) x = x.relu();
    }
    CHECK(our.predictor == Approx(x.item<float>()).margin(1e-5));
  }
}

TEST_CASE("the figure is read at its points, which rise, and says nothing below them") {
  double last = 0;
  for (const FigurePoint& point : flops_figure()) {
    CHECK(figure_top1(point.mmacs) == Approx(point.top1));
    CHECK(point.top1 > last);
    last = point.top1;
  }
  CHECK(figure_top1(138.9) == 68.9);
  CHECK(figure_top1(2000) == 79.0);
  CHECK(std::isnan(figure_top1(94.9)));
}

TEST_CASE("an estimate is the scaled prediction, and never more than the figure") {
  // numpy.polyfit over the six levels: 7.516 + 84.647 * prediction
  for (const double prediction : {0.75, 0.77, 0.80, 0.83})
    CHECK(estimated_top1(prediction, 1e4) == Approx(7.51576 + 84.64726 * prediction).margin(1e-3));
  CHECK(estimated_top1(0.9, 139) == Approx(72.9));
  CHECK(estimated_top1(0.78, 139) == Approx(72.9));
  CHECK(estimated_top1(0.76, 139) < 72.9);
  CHECK(std::isnan(estimated_top1(0.76, 90)));
}

TEST_CASE("what the search found is smaller than the paper's levels, and sits on the figure's first points") {
  const engine::Supernet supernet = random_supernet(1.2);
  std::size_t next = 0;
  for (const OurNet& our : our_nets()) {
    INFO(our.net.name);
    const double mmacs = static_cast<double>(macs(our, supernet)) / 1e6;
    if (our.basis == Basis::kPublished) {
      CHECK(mmacs > 230);
      continue;
    }
    REQUIRE(next < 3);
    const FigurePoint& point = flops_figure()[next++];
    CHECK(mmacs >= point.mmacs);
    CHECK(mmacs < 1.06 * point.mmacs);
    CHECK(estimated_top1(our.predictor, mmacs) == Approx(point.top1));
    CHECK(our.net.resolution >= 160);  // the predictor was never fitted below
  }
  CHECK(next == 3);
}

}  // namespace dofa::bench
