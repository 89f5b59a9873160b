// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "daemon/engine/calibration.hpp"
#include "daemon/engine/preprocess.hpp"
#include "daemon/engine/reference.hpp"
#include "models/tool/family_folder.hpp"
#include "models/tool/pictures.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ofa/files.hpp"
#include "tests/unit/ofa/naive_ofa.hpp"

using namespace dofa;
using namespace dofa::engine;
using namespace dofa::engine::test;

namespace {

at::Tensor to_tensor(const Maps& images) {
  const std::vector<float> values(images.values.begin(), images.values.end());
  return at::tensor(values).reshape({images.count, images.channels, images.side, images.side});
}

/// Largest difference relative to the range of what is expected.
double relative_difference(const at::Tensor& result, const std::vector<double>& expected) {
  const at::Tensor flat = result.contiguous().flatten();
  REQUIRE(flat.numel() == static_cast<std::int64_t>(expected.size()));
  double largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(flat.data_ptr<float>()[i]) - expected[i]));
  const auto [low, high] = std::ranges::minmax(expected);
  return largest / (high - low);
}

}  // namespace

TEST_CASE("the reference executor agrees with a naive network on random architectures") {
  const unsigned seed = GENERATE(range(0U, 8U));
  INFO("seed " << seed);
  const config::OfaSupernet strides = strides_of(seed);
  const FloatTensors tensors = random_tensors(seed);
  const auto net = make_supernet(tensors, strides);
  REQUIRE(net.ok());
  const auto architecture = random_architecture(seed + 100);
  const Statistics statistics = random_statistics(*net, architecture, seed);
  Subnet subnet = *extract_subnet(*net, architecture);
  REQUIRE(set_statistics(*net, subnet, statistics).ok());
  const Maps images = random_images(2, seed % 4 < 2 ? 32 : 27, seed);
  const auto expected = run_naively(tensors, architecture, strides, images, statistics);
  CHECK(relative_difference(run_reference(*net, subnet, to_tensor(images)), expected) < 1e-5);
}

TEST_CASE("calibration averages each batch's mean and biased variance, weighted by its images") {
  const FloatTensors tensors = random_tensors(20);
  const auto net = make_supernet(tensors, {});
  REQUIRE(net.ok());
  const auto architecture = random_architecture(21);
  Calibration calibration(*net, *extract_subnet(*net, architecture));
  CHECK(calibration.statistics().empty());
  std::vector<Statistics> batches;
  const std::vector<int> sizes{3, 1, 2};
  for (const int size : sizes) {
    const Maps images = random_images(size, 32, static_cast<unsigned>(30 + size));
    calibration.add(to_tensor(images));
    run_naively(tensors, architecture, {}, images, {}, &batches.emplace_back());
  }
  const Statistics statistics = calibration.statistics();
  REQUIRE(statistics.size() == batches[0].size());
  for (const auto& [layer, moments] : statistics) {
    INFO(layer);
    for (std::size_t c = 0; c < moments.mean.size(); ++c) {
      double mean = 0;
      double variance = 0;
      for (std::size_t i = 0; i < sizes.size(); ++i) {
        mean += batches[i].at(layer).mean[c] * sizes[i] / 6.0;
        variance += batches[i].at(layer).variance[c] * sizes[i] / 6.0;
      }
      REQUIRE(moments.mean[c] == Approx(mean).epsilon(1e-4).margin(1e-4));
      REQUIRE(moments.variance[c] == Approx(variance).epsilon(1e-3).margin(1e-4));
    }
  }
}

TEST_CASE("constant images give the stem's statistics in closed form") {
  // A 1x1 stem would see the constant; the 3x3 one sees it whole only inside, so the stem's kernel is a
  // single centre tap of weight 2 on red: the map is 2 * v everywhere, batch by batch.
  FloatTensors tensors = random_tensors(22);
  auto& stem = tensors["first_conv.conv.weight"].values;
  std::ranges::fill(stem, 0.0F);
  stem[4] = 2;  // channel 0, red, centre
  const auto net = make_supernet(tensors, {});
  REQUIRE(net.ok());
  Calibration calibration(*net, *extract_subnet(*net, random_architecture(23)));
  calibration.add(at::full({1, 3, 32, 32}, 3.0F));
  at::Tensor two = at::full({2, 3, 32, 32}, 1.0F);
  two[1].fill_(5.0F);
  calibration.add(two);
  const Moments moments = calibration.statistics().at("first_conv.bn");
  // Batch means 6 (1 image) and (2 + 10) / 2 = 6 (2 images); biased variances 0 and 16, averaged (0 + 2 * 16)
  // / 3.
  CHECK(moments.mean[0] == Approx(6));
  CHECK(moments.variance[0] == Approx(32.0 / 3));
  CHECK(moments.mean[1] == Approx(0).margin(1e-6));
}

TEST_CASE("all sub-networks of the reference files give the original code's logits") {
  const std::string folder = shared_path(GENERATE("reference/ofa", "reference/ofa_legacy"));
  if (folder.empty()) return;
  const auto net = tool::open_supernet(folder + "/supernet.pth", {});
  REQUIRE(net.ok());
  const auto expected = checkpoint::read_checkpoint(folder + "/expected.pt");
  REQUIRE(expected.ok());
  const auto tensors = canonical_tensors(*expected);
  REQUIRE(tensors.ok());
  const auto architectures = tool::read_architectures(folder + "/subnets.json");
  REQUIRE(architectures.ok());
  REQUIRE(architectures->size() == 8);
  for (const auto& item : *architectures) {
    INFO(folder << " " << item.name);
    FloatTensors own;
    for (const auto& [name, tensor] : *tensors)
      if (name.starts_with(item.name + "/bn/")) own[name.substr(item.name.size() + 4)] = tensor;
    Subnet subnet = *extract_subnet(*net, item.architecture);
    REQUIRE(set_statistics(*net, subnet, *parse_statistics(own)).ok());
    const auto& input = tensors->at(item.name + "/input");
    const auto& logits = tensors->at(item.name + "/logits").values;
    const at::Tensor result = run_reference(*net, subnet, at::tensor(input.values).reshape(input.shape));
    CHECK(relative_difference(result, {logits.begin(), logits.end()}) < 1e-5);
  }
}

TEST_CASE("multiply-accumulates and parameters are those the original code counts") {
  const std::string folder = shared_path("reference/ofa");
  if (folder.empty()) return;
  const auto net = tool::open_supernet(folder + "/supernet.pth", {});
  const auto architectures = tool::read_architectures(folder + "/subnets.json");
  REQUIRE((net.ok() && architectures.ok()));
  // "macs" and "params" of subnets.json
  const std::vector<std::pair<std::uint64_t, std::uint64_t>> expected{
      {20805272, 1187448}, {221432048, 2411840}, {56304800, 1338392},  {55814432, 1435600},
      {72100608, 1552632}, {82395328, 1672920},  {112175232, 1809144}, {176349248, 2188968}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto& item = (*architectures)[i];
    INFO(item.name);
    const Subnet subnet = *extract_subnet(*net, item.architecture);
    CHECK(count_macs(*net, subnet, item.resolution) == expected[i].first);
    CHECK(count_parameters(*net, subnet) == expected[i].second);
  }
  CHECK(net->width == 0.5);
}

TEST_CASE("preprocessing the reference photos gives the reference inputs") {
  // No pairs: Catch2 3 prints what is generated, and LibTorch's own << for pairs cannot print these.
  const bool legacy = GENERATE(false, true);
  const auto photos = legacy ? std::array{"n02391049_zebra.JPEG", "n04285008_sports_car.JPEG"}
                             : std::array{"n01443537_goldfish.JPEG", "n02123045_tabby.JPEG"};
  const std::string folder = shared_path(legacy ? "reference/ofa_legacy" : "reference/ofa");
  if (folder.empty()) return;
  const auto expected = checkpoint::read_checkpoint(folder + "/expected.pt");
  REQUIRE(expected.ok());
  for (const std::string subnet : {"smallest", "paper_level_3", "largest"}) {
    const auto& tensor = expected->tensors().at(subnet + "/input");
    const auto inputs = *checkpoint::to_floats(tensor);
    const auto side = static_cast<std::uint32_t>(tensor.shape[2]);
    std::vector<float> out(std::size_t{3} * side * side);
    Preprocessor preprocessor{config::Preprocessing{}};
    for (std::size_t i = 0; i < photos.size(); ++i) {
      INFO(folder << " " << subnet << " " << photos[i]);
      const auto picture = tool::read_picture(folder + "/" + photos[i]);
      REQUIRE(picture.ok());
      REQUIRE(preprocessor.run(picture->view, side, out).ok());
      double sum = 0;
      for (std::size_t j = 0; j < out.size(); ++j)
        sum += std::abs(static_cast<double>(out[j]) - static_cast<double>(inputs[i * out.size() + j]));
      CHECK(sum / static_cast<double>(out.size()) <= 0.02);
    }
  }
}
