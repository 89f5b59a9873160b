// SPDX-License-Identifier: Apache-2.0
// profile --table, search and train-predictor called as main() calls them, on a small random supernet.
#include <algorithm>
#include <fstream>

#include "daemon/engine/family.hpp"
#include "models/search/latency_table.hpp"
#include "models/search/predictor.hpp"
#include "models/tool/build_table.hpp"
#include "models/tool/evaluated.hpp"
#include "models/tool/family_folder.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ofa/files.hpp"
#include "tests/unit/ofa/naive_ofa.hpp"
#include "tests/unit/tool/run_verb.hpp"

using namespace dofa;
using namespace dofa::tool;
using engine::test::TemporaryFolder;

namespace {

void succeeds(const std::string& name, const std::vector<std::string>& words) {
  const auto result = run(name, words);
  INFO((result ? "" : result.error().message));
  REQUIRE((result.ok() && *result == kExitOk));
}

/// A checkpoint of a small supernet and labelled pictures of two classes.
struct Workshop {
  TemporaryFolder folder;
  std::string net = folder / "net.pth";
  std::string data = folder / "data";
  std::string table = folder / "table.yaml";

  Workshop() {
    REQUIRE(checkpoint::write_checkpoint(net, engine::test::random_tensors(60)).ok());
    for (const std::string name : {"cat", "dog"}) {
      std::filesystem::create_directories(data + "/" + name);
      for (int i = 0; i < 6; ++i) {
        std::ofstream file(data + "/" + name + "/" + std::to_string(i) + ".ppm", std::ios::binary);
        file << "P6\n40 40\n255\n";
        for (int pixel = 0; pixel < 1600; ++pixel)
          file << static_cast<char>(10 * i + pixel) << static_cast<char>(name == "cat" ? pixel / 7 : 90)
               << static_cast<char>(7 * i);
      }
    }
  }
  [[nodiscard]] std::vector<std::string> search(std::vector<std::string> more) const {
    std::vector<std::string> words{net, "--table",  table, "--resolutions", "32,40", "--levels",
                                   "3", "--rounds", "2"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  [[nodiscard]] std::vector<std::string> with_data(const std::string& out) const {
    return search({"--calibrate", data, "--data", data, "--samples", "10", "-o", out});
  }
};

}  // namespace

TEST_CASE("a table holds every layer of the space, and goes on where it stopped") {
  const Workshop shop;
  succeeds("profile", {shop.net, "--table", shop.table, "--resolutions", "32", "--rounds", "3"});
  auto table = search::read_latency_table(shop.table);
  REQUIRE(table);
  CHECK(table->machine == machine_name());
  REQUIRE(table->correction);
  CHECK(table->correction->networks == 20);
  // A mark on what is there shows that it is kept.
  table->layers.at(32).begin()->second.count = 424242;
  REQUIRE(search::save_latency_table(*table, shop.table));
  succeeds("profile", {shop.net, "--table", shop.table, "--resolutions", "32,48", "--rounds", "3"});
  const auto more = search::read_latency_table(shop.table);
  REQUIRE(more);
  CHECK(more->resolutions() == std::vector<std::uint32_t>{32, 48});
  CHECK(more->layers.at(32) == table->layers.at(32));
  CHECK(more->layers.at(48).size() == table->layers.at(32).size());
  CHECK(more->correction != table->correction);  // fitted anew, on both
  // Nothing is lacking: nothing is touched.
  succeeds("profile", {shop.net, "--table", shop.table, "--resolutions", "32,48", "--rounds", "3"});
  CHECK(*search::read_latency_table(shop.table) == *more);
}

TEST_CASE("another machine's or network's table is not written over") {
  const Workshop shop;
  search::LatencyTable foreign{"some board", "cpu", 1, {}, {{32, {{"Conv-x", {1, 1, 1}}}}}};
  REQUIRE(search::save_latency_table(foreign, shop.table));
  CHECK(run("profile", {shop.net, "--table", shop.table, "--resolutions", "32"}).error().code ==
        ErrorCode::kAlreadyExists);
  foreign.machine = machine_name();
  REQUIRE(search::save_latency_table(foreign, shop.table));
  CHECK(run("profile", {shop.net, "--table", shop.table, "--resolutions", "32"}).error().code ==
        ErrorCode::kAlreadyExists);
  CHECK(*search::read_latency_table(shop.table) == foreign);
}

TEST_CASE("a search with pictures ends in a family that can be served, and is not done twice") {
  const Workshop shop;
  const std::string out = shop.folder / "found", log_path = out + ".search/evaluated.yaml";
  succeeds("search", shop.with_data(out));
  const auto family = open_family(out);
  REQUIRE(family);
  const auto& levels = family->file.subnets;
  REQUIRE(!levels.empty());
  CHECK(levels.size() <= 3);
  for (std::size_t i = 0; i < levels.size(); ++i) {
    REQUIRE(levels[i].accuracy);
    CHECK(levels[i].accuracy->images == 12);
    if (i > 0) CHECK(levels[i].accuracy->top1 > levels[i - 1].accuracy->top1);
  }
  CHECK(engine::load_family(family->directory, family->file).ok());

  // A mark in the log survives a second run, so it was not evaluated again; one that is lost is.
  auto log = read_evaluated(log_path);
  REQUIRE(log);
  REQUIRE(log->size() >= 10);
  const std::vector<Evaluated> before = *log;
  log->front().accuracy.top5 = 0.123;
  log->erase(log->begin() + 1);
  REQUIRE(write_evaluated(*log, log_path));
  CHECK(run("search", shop.with_data(out)).error().code == ErrorCode::kAlreadyExists);
  auto words = shop.with_data(out);
  words.emplace_back("--force");
  succeeds("search", words);
  const auto after = read_evaluated(log_path);
  REQUIRE(after);
  CHECK(after->front().accuracy.top5 == 0.123);
  const auto again = std::ranges::find_if(
      *after, [&](const Evaluated& entry) { return entry.candidate == before[1].candidate; });
  REQUIRE(again != after->end());
  CHECK(again->accuracy == before[1].accuracy);
}

TEST_CASE("search measures a table where there is none, and keeps a foreign one's word") {
  const Workshop shop;
  const std::string predictor = shop.folder / "predictor.pt", plot = shop.folder / "front.svg";
  succeeds("train-predictor", {shop.net, "--resolutions", "32,40", "--calibrate", shop.data, "--data",
                               shop.data, "--samples", "10", "-o", predictor});
  REQUIRE(search::AccuracyPredictor::read(predictor));
  succeeds("search", shop.search({"--predictor", predictor, "--plot", plot, "--json"}));
  CHECK(std::filesystem::file_size(plot) > 1000);
  auto table = search::read_latency_table(shop.table);
  REQUIRE(table);
  CHECK(table->resolutions() == std::vector<std::uint32_t>{32, 40});
  table->machine = "some board";
  REQUIRE(search::save_latency_table(*table, shop.table));
  succeeds("search", shop.search({"--predictor", predictor}));
  CHECK(*search::read_latency_table(shop.table) == *table);
  const auto hopeless = run("search", shop.search({"--predictor", predictor, "--latency-max", "0.001"}));
  REQUIRE(!hopeless);
  CHECK(hopeless.error().code == ErrorCode::kUnsatisfiable);
  CHECK(hopeless.error().message.find("nearest") != std::string::npos);
}

TEST_CASE("search says in one line what is wrong with its arguments") {
  const Workshop shop;
  const auto usage = [](const std::vector<std::string>& words) {
    CHECK_THROWS_AS(run("search", words), UsageError);
  };
  usage({});
  usage({shop.net});  // no accuracy
  usage({shop.net, "--predictor", shop.net, "--data", shop.data, "--oops"});
  usage(shop.search({"--data", shop.data, "--calibrate", shop.data}));  // nowhere to keep it
  usage({"--width", "1.2", "--data", shop.data, "--calibrate", shop.data, "-o", shop.folder / "x"});
  CHECK(run("search", shop.search({"--predictor", shop.folder / "none.pt"})).error().code ==
        ErrorCode::kNotFound);
  CHECK(run("search", shop.search({"--predictor", shop.net})).error().code == ErrorCode::kInvalidArgument);
}

TEST_CASE("a log that is damaged is refused with its place") {
  TemporaryFolder folder;
  const std::string path = folder / "evaluated.yaml";
  CHECK(read_evaluated(path)->empty());
  for (const char* text :
       {"schema: 1", "schema: 1\nsubnets: [1]", "schema: 1\nsubnets:\n- {r: 32, top1: 0.5}",
        "schema: 1\nsubnets:\n- {r: 32, ks: [3], e: [3], d: [2], top1: 0.5}", "schema: 2\nsubnets: []"}) {
    std::ofstream(path) << text;
    const auto log = read_evaluated(path);
    REQUIRE(!log);
    CHECK(log.error().message.find(path) == 0);
  }
}
