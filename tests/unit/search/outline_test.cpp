// SPDX-License-Identifier: Apache-2.0
// The shape without weights against the engine's count on real weights' shapes.
#include "models/search/outline.hpp"

#include <optional>

#include "daemon/engine/subnet.hpp"
#include "models/search/lookup.hpp"
#include "models/search/nsga2.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ofa/files.hpp"

using namespace dofa;
using namespace dofa::search;

namespace {

/// A supernet of the shared reference checkpoint; nothing where it is not there.
std::optional<engine::Supernet> reference_supernet(const std::string& folder,
                                                   const config::OfaSupernet& strides) {
  const std::string root = engine::test::shared_path("reference/" + folder);
  if (root.empty()) return std::nullopt;
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    const auto checkpoint = checkpoint::read_checkpoint(entry.path().string());
    if (!checkpoint) continue;
    const auto tensors = engine::canonical_tensors(*checkpoint);
    if (!tensors) continue;
    const auto supernet = engine::make_supernet(*tensors, strides);
    if (supernet) return *supernet;
  }
  FAIL(root + " holds no supernet");
  return std::nullopt;
}

}  // namespace

TEST_CASE("the largest published networks have the published cost") {
  // The OFA model zoo: 224 pixels, kernel 7, ratio 6, depth 4.
  const Space space{{7}, {6}, {4}, {224}};
  CHECK(Lookup::macs(published_outline(1.0), space).cost({}) == Approx(566e6).epsilon(0.005));
}

TEST_CASE("multiply-accumulates add up to the engine's count") {
  config::OfaSupernet strides;
  SECTION("as published") {}
  SECTION("for small pictures") {
    strides.stem_stride = 1;
    strides.stage_strides = {1, 2, 2, 1, 2};
  }
  const auto supernet = reference_supernet("ofa", strides);
  if (!supernet) return;
  const Space space = space_of(*supernet, {40, 97, 160, 224});
  const Lookup lookup = Lookup::macs(outline_of(*supernet), space);
  Dice dice(11);
  for (int i = 0; i < 100; ++i) {
    const Genome genome = random_genome(space, dice);
    const Candidate candidate = candidate_of(space, genome);
    const auto subnet = engine::extract_subnet(*supernet, candidate.architecture);
    REQUIRE(subnet);
    CHECK(lookup.cost(genome) ==
          static_cast<double>(engine::count_macs(*supernet, *subnet, candidate.resolution)));
  }
}

TEST_CASE("the published outline is that of a checkpoint of this width") {
  const auto supernet = reference_supernet("ofa", {});
  if (!supernet) return;
  const Outline ours = published_outline(0.5, supernet->classes);
  const Outline real = outline_of(*supernet);
  CHECK(ours.stem_channels == real.stem_channels);
  CHECK(ours.first == real.first);
  CHECK(ours.blocks == real.blocks);
  CHECK(ours.final_channels == real.final_channels);
  CHECK(ours.feature_channels == real.feature_channels);
}
