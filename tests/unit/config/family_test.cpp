// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/family.hpp"

#include <string>

#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::config;

namespace {

const char* const kTorchScript = R"(schema: 1
name: mobilenet
kind: torchscript
task: classification
classes: 1000
labels: labels.txt
preprocessing: {crop_ratio: 0.875, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}
subnets:
  - {name: small, resolution: 128, file: a.pt, accuracy: {top1: 0.353, top5: 0.646, dataset: val20, images: 1000}}
  - {name: large, resolution: 224, file: b.pt}
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

void require_fault(const std::string& text, const std::string& place, const std::string& words) {
  const auto family = parse_family(text, "f.yaml");
  REQUIRE_FALSE(family.ok());
  INFO(family.error().message);
  CHECK(family.error().code == ErrorCode::kInvalidFamily);
  CHECK(family.error().message.starts_with("f.yaml:" + place));
  CHECK(family.error().message.find(words) != std::string::npos);
}

}  // namespace

TEST_CASE("a torchscript family is read as written") {
  const auto family = parse_family(kTorchScript, "f.yaml");
  if (!family) FAIL(family.error().message);
  CHECK(family->kind == FamilyKind::kTorchScript);
  CHECK(family->classes == 1000);
  REQUIRE(family->subnets.size() == 2);
  CHECK(family->subnets[0].accuracy->top1 == 0.353);
  CHECK(family->subnets[0].accuracy->images == 1000);
  CHECK_FALSE(family->subnets[1].accuracy.has_value());
  CHECK(family->subnets[1].file == "b.pt");
  CHECK(family->preprocessing.mean[2] == 0.5F);
}

TEST_CASE("what is written reads back equal") {
  FamilyFile family;
  family.name = "cifar10";
  family.kind = FamilyKind::kOfaMobilenetV3;
  family.classes = 10;
  family.labels = "labels.txt";
  family.preprocessing.mean = {0.1F, 1.0F / 3.0F, 0.4F};
  family.supernet.weights = "supernet.pt";
  family.supernet.width = 1.2;
  family.supernet.stem_stride = 1;
  family.supernet.stage_strides = {1, 2, 2, 1, 2};
  SubnetEntry subnet;
  subnet.name = "level-0";
  subnet.resolution = 160;
  subnet.architecture.kernel_sizes.fill(5);
  subnet.architecture.expand_ratios.fill(4);
  subnet.architecture.depths.fill(3);
  subnet.statistics = "level-0.pt";
  subnet.accuracy = Accuracy{0.1 + 0.2, 2.0 / 3.0, "a: 'quoted' #name", 10000};
  family.subnets.push_back(subnet);
  const auto again = parse_family(write_family(family), "f.yaml");
  if (!again) FAIL(again.error().message);
  CHECK(*again == family);
}

TEST_CASE("faults in a family name file, line and column") {
  require_fault(replaced(kTorchScript, "classes: 1000", "clases: 1000"), "", "'classes' is missing");
  require_fault(replaced(kTorchScript, "task:", "extra: 1\ntask:"), "4:1: ", "'extra' is not a known key");
  require_fault(replaced(kTorchScript, "task:", "name: again\ntask:"), "4:1: ", "'name' is given twice");
  require_fault(replaced(kTorchScript, "kind: torchscript", "kind: onnx"), "3:7: ", "torchscript");
  require_fault(replaced(kTorchScript, "classes: 1000", "classes: 0"), "5:10: ", "from 1 to");
  require_fault(replaced(kTorchScript, "classes: 1000", "classes: 10.5"), "5:10: ", "whole number");
  require_fault(replaced(kTorchScript, "mean: [0.5, 0.5, 0.5]", "mean: [.inf, 0.5, 0.5]"),
                "7:", "number from");
  require_fault(replaced(kTorchScript, "mean: [0.5, 0.5, 0.5]", "mean: [0.5, 0.5]"), "7:", "3 numbers");
  require_fault(replaced(kTorchScript, "top1: 0.353", "top1: nan"), "9:", "number from 0 to 1");
  require_fault(replaced(kTorchScript, "name: large", "name: small"), "10:", "twice");
  require_fault(replaced(kTorchScript, ", file: b.pt", ""), "10:", "'subnets.file' is missing");
  require_fault(replaced(kTorchScript, ", file: b.pt", ", file: b.pt, depths: [2]"),
                "10:", "not a known key");
  require_fault(replaced(kTorchScript, "name: mobilenet", "name: ../x"), "2:7: ", "must be 1 to 64");
  require_fault(replaced(kTorchScript, "schema: 1", "schema: 2"), "1:9: ", "from 1 to 1");
  require_fault("[1, 2]", "1:1: ", "must be a map");
  require_fault("a: [", "", "not valid YAML");
  require_fault("", "", "missing");
}

TEST_CASE("levels whose known accuracy falls are refused") {
  const auto worse = replaced(kTorchScript, "file: b.pt",
                              "file: b.pt, accuracy: {top1: 0.3, top5: 0.6, dataset: val20, images: 9}");
  require_fault(worse, "10:", "ordered by accuracy");
}
