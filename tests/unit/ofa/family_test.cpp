// SPDX-License-Identifier: Apache-2.0
// A family on disk through the engine's front door, and a sub-network's way out as TorchScript.
#include <torch/script.h>

#include <fstream>

#include "daemon/engine/ofa_family.hpp"
#include "daemon/engine/reference.hpp"
#include "models/tool/exporters.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ofa/files.hpp"
#include "tests/unit/ofa/naive_ofa.hpp"

using namespace dofa;
using namespace dofa::engine;
using namespace dofa::engine::test;

namespace {

constexpr std::uint32_t kSide = 32;

/// Two random sub-networks of a random supernet, written as a family.
struct Sample {
  TemporaryFolder folder;
  config::FamilyFile file;
  FloatTensors tensors = random_tensors(40);

  Sample() {
    REQUIRE(checkpoint::write_checkpoint(folder / "supernet.pt", tensors).ok());
    file.name = "sample";
    file.kind = config::FamilyKind::kOfaMobilenetV3;
    file.classes = 10;
    file.supernet.weights = "supernet.pt";
    for (unsigned i = 0; i < 2; ++i) {
      config::SubnetEntry entry;
      entry.name = "s" + std::to_string(i);
      entry.resolution = kSide + 16 * i;
      entry.architecture = random_architecture(i);
      entry.statistics = entry.name + ".bn.pt";
      const auto statistics = random_statistics(supernet(), entry.architecture, i);
      REQUIRE(checkpoint::write_checkpoint(folder / entry.statistics, statistics_tensors(statistics)).ok());
      file.subnets.push_back(entry);
    }
  }
  [[nodiscard]] Supernet supernet() const { return *make_supernet(tensors, file.supernet); }
  [[nodiscard]] std::string directory() const { return folder / ""; }
  [[nodiscard]] std::string error() const {
    const auto family = load_family(directory(), file);
    if (family) return "no error";
    CHECK(family.error().code == ErrorCode::kInvalidFamily);
    return family.error().message;
  }
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

at::Tensor random_image(std::uint32_t side, unsigned seed) {
  const Maps image = random_images(1, static_cast<int>(side), seed);
  return at::tensor(std::vector<float>(image.values.begin(), image.values.end())).reshape({1, 3, side, side});
}

double difference(const at::Tensor& a, const at::Tensor& expected) {
  return ((a - expected).abs().max() / (expected.max() - expected.min())).item<double>();
}

}  // namespace

TEST_CASE("a family runs each level as the reference does") {
  const Sample sample;
  const auto family = load_family(sample.directory(), sample.file);
  REQUIRE(family.ok());
  REQUIRE((*family)->levels().size() == 2);
  CHECK((*family)->resident_bytes() > 0);
  auto runner = (*family)->make_runner(*family);
  REQUIRE(runner.ok());
  const Supernet net = sample.supernet();
  for (std::uint32_t level = 0; level < 2; ++level) {
    const auto& entry = sample.file.subnets[level];
    INFO((*family)->levels()[level].executor);
    const Subnet subnet = *load_subnet(sample.directory(), entry, net);
    CHECK((*family)->levels()[level].macs == count_macs(net, subnet, entry.resolution));
    const at::Tensor image = random_image(entry.resolution, level);
    const ImageView view{
        reinterpret_cast<const std::byte*>(image.data_ptr<float>()),
        {PixelFormat::kFloat32Nchw, entry.resolution, entry.resolution, entry.resolution * 4}};
    REQUIRE((*runner)->prepare(level, view).ok());
    const auto logits = (*runner)->run(level);
    REQUIRE(logits.ok());
    REQUIRE(logits->size() == 10);
    const at::Tensor result = at::tensor(std::vector<float>(logits->begin(), logits->end())).reshape({1, 10});
    CHECK(difference(result, run_reference(net, subnet, image)) < 1e-4);
  }
}

TEST_CASE("faulty families are refused by the file's name") {
  Sample sample;
  SECTION("sound") {
    CHECK(sample.error() == "no error");
  }
  SECTION("no statistics") {
    sample.file.subnets[1].statistics.clear();
    CHECK(contains(sample.error(), "'s1' has no batch statistics; calibrate it first"));
  }
  SECTION("statistics of another sub-network") {
    sample.file.subnets[1].statistics = "s0.bn.pt";
    CHECK(contains(sample.error(), "s0.bn.pt: statistics"));
  }
  SECTION("no such file") {
    sample.file.supernet.weights = "other.pt";
    CHECK(contains(sample.error(), "other.pt: no such file"));
  }
  SECTION("another class count") {
    sample.file.classes = 11;
    CHECK(contains(sample.error(), "supernet.pt: has 10 classes where family.yaml says 11"));
  }
  SECTION("half a file") {
    std::filesystem::resize_file(sample.folder / "supernet.pt", 100'000);
    CHECK(contains(sample.error(), "supernet.pt: zip archive: truncated"));
  }
}

TEST_CASE("a sub-network exported as TorchScript agrees with the reference") {
  const Sample sample;
  const Supernet net = sample.supernet();
  for (const auto& entry : sample.file.subnets) {
    const Subnet subnet = *load_subnet(sample.directory(), entry, net);
    const std::string path = sample.folder / (entry.name + ".ts");
    REQUIRE(tool::export_torchscript(net, subnet, path).ok());
    torch::jit::Module module = torch::jit::load(path);
    const at::Tensor image = at::cat({random_image(entry.resolution, 7), random_image(entry.resolution, 8)});
    CHECK(difference(module.forward({image}).toTensor(), run_reference(net, subnet, image)) < 1e-5);
  }
  CHECK(!tool::export_torchscript(net, *load_subnet(sample.directory(), sample.file.subnets[0], net),
                                  "/no/such/x.pt")
             .ok());
}

TEST_CASE("LibTorch reads the tensor files that are written") {
  const Sample sample;
  for (const std::string name : {"supernet.pt", "s0.bn.pt"}) {
    std::ifstream stream(sample.folder / name, std::ios::binary);
    const std::vector<char> bytes((std::istreambuf_iterator<char>(stream)), {});
    const auto dict = torch::jit::pickle_load(bytes).toGenericDict();
    const auto ours = checkpoint::read_checkpoint(sample.folder / name);
    REQUIRE(ours.ok());
    REQUIRE(dict.size() == ours->tensors().size());
    for (const auto& item : dict) {
      const at::Tensor theirs = item.value().toTensor();
      const auto& tensor = ours->tensors().at(item.key().toStringRef());
      REQUIRE(theirs.sizes() == at::IntArrayRef(tensor.shape));
      REQUIRE(theirs.flatten().equal(at::tensor(*checkpoint::to_floats(tensor))));
    }
  }
}
