// SPDX-License-Identifier: Apache-2.0
// Latency tables: names, sums, files of ours and published ones, and files that are neither.
#include "models/search/latency_table.hpp"

#include <filesystem>
#include <fstream>

#include "models/search/nsga2.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ofa/files.hpp"

using namespace dofa;
using namespace dofa::search;
using engine::test::TemporaryFolder;

namespace {

/// Every layer of the space at its own time: 1 us, 2 us, …
LatencyTable counted_table(const Outline& outline, const Space& space) {
  LatencyTable table{"machine", "cpu", 1, {}, {}};
  double next = 1;
  for (const std::uint32_t resolution : space.resolutions) {
    const FixedNames names = fixed_names(outline, resolution);
    for (const auto& name :
         {names.stem, names.first_block, names.final_expand, names.pool, names.feature_mix, names.classifier})
      table.layers[resolution][name] = {next++, 0.5, 10};
    const auto collect = [&](std::uint32_t size, const BlockUse& use) -> Result<double> {
      LayerTime& time = table.layers[size][layer_name(use)];
      if (time.count == 0) time = {next++, 0.5, 10};
      return 0.0;
    };
    REQUIRE(Lookup::make(
        outline, {space.kernels, space.ratios, space.depths, {resolution}},
        [](std::uint32_t) -> Result<double> { return 0.0; }, collect));
  }
  return table;
}

std::string error_of(const std::string& text) {
  const auto table = parse_latency_table(text, "t.yaml");
  return table ? "no error" : table.error().message;
}

}  // namespace

TEST_CASE("layers are named as the published tables name them") {
  const Outline outline = published_outline(1.2);
  const FixedNames names = fixed_names(outline, 224);
  CHECK(names.stem == "Conv-input:224x224x3-output:112x112x24");
  CHECK(names.first_block ==
        "expanded_conv-input:112x112x24-output:112x112x24-expand:24-kernel:3-stride:1-idskip:1-se:0-hs:0");
  CHECK(names.final_expand == "Conv_1-input:7x7x192-output:7x7x1152");
  CHECK(names.pool == "AvgPool2D-input:7x7x1152-output:1x1x1152");
  CHECK(names.feature_mix == "Conv_2-input:1x1x1152-output:1x1x1536");
  CHECK(names.classifier == "Logits-input:1x1x1536-output:1000");
  CHECK(layer_name({outline.blocks[3][0], 14, 5, 4}) ==
        "expanded_conv-input:14x14x96-output:14x14x136-expand:384-kernel:5-stride:1-idskip:0-se:1-hs:1");
}

TEST_CASE("a sub-network's latency is the sum of its layers, corrected") {
  const Outline outline = published_outline(1.0);
  const Space space = published_space({160, 224});
  LatencyTable table = counted_table(outline, space);
  const auto plain = latency_lookup(outline, space, table);
  REQUIRE(plain);
  table.correction = Correction{1.5, 100, -2, 0, 0, 20};
  const auto corrected = latency_lookup(outline, space, table);
  REQUIRE(corrected);
  Dice dice(1);
  for (int i = 0; i < 50; ++i) {
    const Genome genome = random_genome(space, dice);
    const Candidate candidate = candidate_of(space, genome);
    const auto sides = stage_sides(outline, candidate.resolution);
    const auto& layers = table.layers.at(candidate.resolution);
    const FixedNames names = fixed_names(outline, candidate.resolution);
    double sum = 0;
    int blocks = 0;
    for (const auto& name :
         {names.stem, names.first_block, names.final_expand, names.pool, names.feature_mix, names.classifier})
      sum += layers.at(name).mean_us;
    for (std::size_t stage = 0; stage < 5; ++stage) {
      for (std::size_t j = 0; j < candidate.architecture.depths[stage]; ++j, ++blocks)
        sum += layers
                   .at(layer_name({outline.blocks[stage][j], j == 0 ? sides[stage] : sides[stage + 1],
                                   candidate.architecture.kernel_sizes[stage * 4 + j],
                                   candidate.architecture.expand_ratios[stage * 4 + j]}))
                   .mean_us;
    }
    CHECK(plain->cost(genome) == Approx(sum));
    CHECK(corrected->cost(genome) == Approx(1.5 * sum + 100 - 2 * blocks));
  }
}

TEST_CASE("what a table lacks is named") {
  const Outline outline = published_outline(1.0);
  const Space space = published_space({160});
  LatencyTable table = counted_table(outline, space);
  CHECK(latency_lookup(outline, published_space({160, 176}), table).error().message ==
        "the latency table has no resolution 176");
  const auto other_width = latency_lookup(published_outline(1.2), space, table);
  REQUIRE(!other_width);
  CHECK(other_width.error().code == ErrorCode::kNotFound);
  CHECK(other_width.error().message.find("Conv-input:160x160x3-output:80x80x24") != std::string::npos);
}

TEST_CASE("a table written reads back the same") {
  TemporaryFolder folder;
  LatencyTable table = counted_table(published_outline(0.5, 10), published_space({32, 48}));
  table.machine = "a \"board\": with # colons";
  table.threads = 2;
  SECTION("with a correction") {
    table.correction = Correction{0.97, -12.5, 1.25, 0.01, 0.02, 20};
  }
  SECTION("without one") {}
  REQUIRE(save_latency_table(table, folder / "latency.yaml"));
  const auto back = read_latency_table(folder / "latency.yaml");
  if (!back) FAIL(back.error().message);
  CHECK(*back == table);
}

TEST_CASE("tables that are damaged are refused with their place") {
  const std::string head = "schema: 1\nmachine: m\nprocessor: cpu\n";
  CHECK(error_of("").find("schema") != std::string::npos);
  CHECK(error_of("schema: 2\nlayers: []\n").find("t.yaml:1:") == 0);
  CHECK(error_of(head).find("layers") != std::string::npos);
  CHECK(error_of(head + "layers: []\nextra: 1\n").find("extra") != std::string::npos);
  const auto layer = [&](const std::string& text) { return error_of(head + "layers:\n- {" + text + "}\n"); };
  CHECK(layer("resolution: 160, layer: a, mean_us: 1") == "no error");
  CHECK(layer("resolution: 160, layer: a, mean_us: .nan").find("t.yaml:5:") == 0);
  CHECK(layer("resolution: 160, layer: a, mean_us: .inf").find("t.yaml:5:") == 0);
  CHECK(layer("resolution: 160, layer: a, mean_us: -1").find("t.yaml:5:") == 0);
  CHECK(layer("resolution: 160, layer: a, mean_us: fast").find("t.yaml:5:") == 0);
  CHECK(layer("resolution: 4000000000, layer: a, mean_us: 1").find("t.yaml:5:") == 0);
  CHECK(layer("resolution: 160, layer: [a], mean_us: 1").find("t.yaml:5:") == 0);
  CHECK(layer("layer: a, mean_us: 1").find("resolution") != std::string::npos);
  CHECK(layer("resolution: 160, layer: a").find("mean_us") != std::string::npos);
  CHECK(error_of(
            head +
            "layers:\n- {resolution: 160, layer: a, mean_us: 1}\n- {resolution: 160, layer: a, mean_us: 2}\n")
            .find("twice") != std::string::npos);
  CHECK(error_of(head + "correction: {scale: -1}\nlayers: []\n").find("scale") != std::string::npos);
  CHECK(error_of("[1, 2").find("t.yaml:") == 0);
  CHECK(error_of(std::string(100'000, '[')) != "no error");
  CHECK(error_of(std::string("\0\x01\xff", 3)) != "no error");
}

TEST_CASE("published files are read in microseconds, and their damage refused") {
  const auto good =
      parse_published_table(R"({"a": {"count": 5, "mean": 0.25, "std": 0.5}, "b": {"mean": 2}})", "f");
  REQUIRE(good);
  CHECK(good->at("a") == LayerTime{250, 500, 5});
  CHECK(good->at("b") == LayerTime{2000, 0, 0});
  for (const char* text :
       {"", "[]", "{}", "1", R"({"a": 1})", R"({"a": {"mean": "x"}})", R"({"a": {"mean": -1}})",
        R"({"a": {"std": 1}})", R"({"a": {"mean": 1e300}})", R"({"a": {"mean": 1}, "a": {"mean": 2}})",
        R"({"a": {"mean": [1]}})", R"({"a": {"mean": 1)", R"({"a": {"count": -4, "mean": 1}})"}) {
    INFO(text);
    CHECK(!parse_published_table(text, "f"));
  }
}

TEST_CASE("a folder is read by the names of its files") {
  TemporaryFolder folder;
  std::filesystem::create_directory(folder / "t");
  CHECK(read_latency_table(folder / "t").error().code == ErrorCode::kNotFound);
  CHECK(read_latency_table(folder / "absent.yaml").error().code == ErrorCode::kNotFound);
  std::ofstream(folder / "t/160.json") << R"({"a": {"mean": 1}})";
  std::ofstream(folder / "t/notes.json") << "no table";
  std::ofstream(folder / "t/7.json") << "too small a side";
  const auto table = read_latency_table(folder / "t");
  REQUIRE(table);
  CHECK(table->resolutions() == std::vector<std::uint32_t>{160});
  CHECK(table->machine.empty());
  std::ofstream(folder / "t/176.json") << "{";
  CHECK(read_latency_table(folder / "t").error().message.find("176.json") != std::string::npos);
}

TEST_CASE("a table that cannot be written says why, and leaves nothing behind") {
  TemporaryFolder folder;
  const std::string path = folder / "t.yaml";
  std::filesystem::create_symlink("/dev/full", path + ".new");
  const auto saved = save_latency_table({"machine", "cpu", 1, {}, {}}, path);
  REQUIRE_FALSE(saved.ok());
  CHECK(saved.error().message == path + ": cannot be written: No space left on device");
  CHECK_FALSE(std::filesystem::exists(std::filesystem::symlink_status(path + ".new")));
  CHECK_FALSE(std::filesystem::exists(path));
}
