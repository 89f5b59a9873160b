// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "tests/support/catch.hpp"
#include "tests/unit/ofa/naive_ofa.hpp"

using namespace dofa;
using namespace dofa::engine;
using namespace dofa::engine::test;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

checkpoint::Checkpoint file_of(const FloatTensors& tensors) {
  return std::move(*checkpoint::parse_checkpoint(checkpoint::format_checkpoint(tensors)));
}

std::string error_of(const FloatTensors& tensors) {
  const auto net = make_supernet(tensors, {});
  return net ? "no error" : net.error().message;
}

/// Renames every tensor as a spelling has it.
template <class Rename>
FloatTensors respell(const FloatTensors& tensors, Rename rename) {
  FloatTensors result;
  for (const auto& [name, tensor] : tensors) result[rename(name)] = tensor;
  return result;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("channel counts round as OFA rounds them") {
  // Widths of the published supernets: 1.0, 1.2, and the reference files' 0.5 and 0.35; 11.2 may not fall
  // to 8.
  CHECK(make_divisible(16) == 16);
  CHECK(make_divisible(16 * 1.2) == 24);
  CHECK(make_divisible(24 * 1.2) == 32);
  CHECK(make_divisible(40 * 1.2) == 48);
  CHECK(make_divisible(1280 * 1.2) == 1536);
  CHECK(make_divisible(112 * 0.5) == 56);
  CHECK(make_divisible(24 * 0.35) == 8);
  CHECK(make_divisible(11.2) == 16);
  CHECK(make_divisible(1) == 8);
}

TEST_CASE("the supernet's choices are read off its tensors") {
  FloatTensors tensors = random_tensors(1);
  const auto net = make_supernet(tensors, {});
  REQUIRE(net.ok());
  CHECK(net->classes == 10);
  CHECK(net->max_depth == 4);
  CHECK(net->kernel_choices == std::vector<std::uint8_t>{3, 5, 7});
  CHECK(net->expand_choices == std::vector<std::uint8_t>{3, 4, 6});
  CHECK(net->depth_choices == std::vector<std::uint8_t>{2, 3, 4});
  CHECK(net->blocks.size() == 21);
  CHECK(!net->blocks[1].has_shortcut);
  CHECK(net->blocks[2].has_shortcut);
  CHECK(net->blocks[13].has_shortcut);  // stride 1 and as wide as the stage before

  std::erase_if(tensors, [](const auto& item) { return contains(item.first, "5to3_matrix"); });
  CHECK(make_supernet(tensors, {})->kernel_choices == std::vector<std::uint8_t>{5, 7});
  std::erase_if(tensors, [](const auto& item) { return contains(item.first, "7to5_matrix"); });
  CHECK(make_supernet(tensors, {})->kernel_choices == std::vector<std::uint8_t>{7});
}

TEST_CASE("all spellings of the names give the same tensors") {
  const FloatTensors canonical = random_tensors(2);
  const auto check = [&](auto rename) {
    const auto tensors = canonical_tensors(file_of(respell(canonical, rename)));
    REQUIRE(tensors.ok());
    REQUIRE(tensors->size() == canonical.size());
    for (const auto& [name, tensor] : canonical) {
      INFO(name);
      REQUIRE(tensors->contains(name));
      REQUIRE(tensors->at(name).values == tensor.values);
    }
  };
  SECTION("as they are") {
    check([](const std::string& name) { return name; });
  }
  SECTION("old blocks") {
    check([](const std::string& name) { return replaced(name, ".conv.", ".mobile_inverted_conv."); });
  }
  SECTION("dynamic layers") {
    check([](std::string name) {
      if (!name.starts_with("blocks.0.") && name.starts_with("blocks.")) {
        name = replaced(name, ".bn.", ".bn.bn.");
        name = replaced(name, "conv.weight", "conv.conv.weight");
        name = replaced(name, "inverted_bottleneck.conv.conv.conv", "inverted_bottleneck.conv.conv");
      }
      return replaced(name, "classifier.linear.", "classifier.linear.linear.");
    });
  }
  SECTION("wrapped in DataParallel") {
    check([](const std::string& name) { return "module." + name; });
  }
}

TEST_CASE("faulty checkpoints are refused by the tensor's name") {
  FloatTensors tensors = random_tensors(3);
  SECTION("missing") {
    tensors.erase("blocks.7.conv.depth_conv.se.fc.reduce.weight");
    CHECK(error_of(tensors) == "tensor 'blocks.7.conv.depth_conv.se.fc.reduce.weight' is missing");
  }
  SECTION("a transform that other blocks have") {
    tensors.erase("blocks.9.conv.depth_conv.conv.7to5_matrix");
    CHECK(contains(error_of(tensors), "blocks.9.conv.depth_conv.conv.7to5_matrix' is missing"));
  }
  SECTION("a block") {
    std::erase_if(tensors, [](const auto& item) { return item.first.starts_with("blocks.12."); });
    CHECK(contains(error_of(tensors), "12 blocks"));
  }
  SECTION("wrong shape") {
    tensors["blocks.3.conv.point_linear.conv.weight"].shape = {4, 96, 1, 1};
    CHECK(contains(error_of(tensors),
                   "tensor 'blocks.3.conv.point_linear.conv.weight' has shape [4, 96, 1, 1]"));
  }
  SECTION("wrong rank, and sizes beyond reason") {
    tensors["classifier.linear.weight"].shape = {560};
    CHECK(contains(error_of(tensors), "tensor 'classifier.linear.weight' has the unlikely shape [560]"));
    tensors["first_conv.conv.weight"].shape = {std::int64_t{1} << 40, 3, 3, 3};
    CHECK(contains(error_of(tensors), "tensor 'first_conv.conv.weight' has the unlikely shape"));
  }
  SECTION("NaN") {
    tensors["blocks.3.conv.point_linear.conv.weight"].values[5] = std::nanf("");
    const auto result = canonical_tensors(file_of(tensors));
    REQUIRE(!result.ok());
    CHECK(result.error().message == "tensor 'blocks.3.conv.point_linear.conv.weight' holds NaN or infinity");
  }
  SECTION("one tensor in two spellings") {
    tensors["module.classifier.linear.bias"] = tensors["classifier.linear.bias"];
    const auto result = canonical_tensors(file_of(tensors));
    REQUIRE(!result.ok());
    CHECK(contains(result.error().message, "two tensors are named 'classifier.linear.bias'"));
  }
  SECTION("nothing at all") {
    CHECK(contains(error_of({}), "is missing"));
  }
}

TEST_CASE("architectures the supernet does not offer are refused") {
  FloatTensors tensors = random_tensors(4);
  std::erase_if(tensors, [](const auto& item) { return contains(item.first, "5to3_matrix"); });
  const auto net = make_supernet(tensors, {});
  REQUIRE(net.ok());
  config::OfaArchitecture architecture = random_architecture(1);
  architecture.kernel_sizes.fill(5);
  architecture.depths.fill(2);
  REQUIRE(extract_subnet(*net, architecture).ok());
  architecture.kernel_sizes[2] = 3;  // beyond the stage's depth: unused
  CHECK(extract_subnet(*net, architecture).ok());
  architecture.kernel_sizes[5] = 3;
  CHECK(contains(extract_subnet(*net, architecture).error().message, "kernel size 3 at position 6"));
  architecture.kernel_sizes[5] = 5;
  architecture.expand_ratios[0] = 5;
  CHECK(contains(extract_subnet(*net, architecture).error().message, "expand ratio 5 at position 1"));
  architecture.expand_ratios[0] = 3;
  architecture.depths[4] = 5;
  CHECK(contains(extract_subnet(*net, architecture).error().message, "depth 5 at position 5"));
}

TEST_CASE("statistics must belong to the sub-network") {
  const auto net = make_supernet(random_tensors(5), {});
  REQUIRE(net.ok());
  const auto architecture = random_architecture(2);
  Subnet subnet = *extract_subnet(*net, architecture);
  Statistics statistics = random_statistics(*net, architecture, 3);
  const auto error = [&] {
    const auto result = set_statistics(*net, subnet, statistics);
    return result ? "no error" : result.error().message;
  };
  CHECK(error() == "no error");
  CHECK(subnet.blocks[1].depthwise == statistics.at("blocks.1.conv.depth_conv.bn"));
  CHECK(*parse_statistics(statistics_tensors(statistics)) == statistics);
  SECTION("missing") {
    statistics.erase("first_conv.bn");
    CHECK(error() == "statistics of 'first_conv.bn' are missing");
  }
  SECTION("of another width") {
    statistics["blocks.1.conv.depth_conv.bn"].mean.pop_back();
    CHECK(contains(error(), "statistics of 'blocks.1.conv.depth_conv.bn' are of"));
  }
  SECTION("a negative variance") {
    statistics["final_expand_layer.bn"].variance[3] = -1e-3F;
    CHECK(contains(error(), "'final_expand_layer.bn' hold a negative variance"));
  }
  SECTION("NaN") {
    statistics["final_expand_layer.bn"].mean[3] = std::nanf("");
    CHECK(contains(error(), "'final_expand_layer.bn' hold"));
  }
  SECTION("of a deeper sub-network") {
    statistics["blocks.21.conv.depth_conv.bn"] = statistics["first_conv.bn"];
    CHECK(contains(error(), "layers where the sub-network has"));
  }
  CHECK(!parse_statistics({{"first_conv.bn.weight", {{1}, {1}}}}).ok());
}
