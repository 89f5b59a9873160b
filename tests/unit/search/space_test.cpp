// SPDX-License-Identifier: Apache-2.0
#include "models/search/space.hpp"

#include <set>

#include "models/search/nsga2.hpp"
#include "tests/support/catch.hpp"

using namespace dofa;
using namespace dofa::search;

namespace {

/// Small enough to list: two kernels, one ratio, depths 1 and 2.
const Space kTiny{{3, 5}, {6}, {1, 2}, {32, 40}};

}  // namespace

TEST_CASE("a space tells its size") {
  // Each stage: 2 of depth 1, 4 of depth 2.
  CHECK(kTiny.size() == 6.0 * 6 * 6 * 6 * 6 * 2);
  CHECK(published_space({224}).size() == Approx(2.18e19).epsilon(0.01));  // "10^19" in the OFA paper
}

TEST_CASE("resolutions are sorted and come once") {
  CHECK(published_space({224, 160, 224}).resolutions == std::vector<std::uint32_t>{160, 224});
}

TEST_CASE("a genome and its sub-network say the same") {
  const Space space = published_space({160, 192, 224});
  Dice dice(3);
  for (int i = 0; i < 200; ++i) {
    const Genome genome = canonical(space, random_genome(space, dice));
    const Candidate candidate = candidate_of(space, genome);
    const auto back = genome_of(space, candidate);
    REQUIRE(back);
    CHECK(*back == genome);
  }
}

TEST_CASE("genes of absent blocks make no other sub-network") {
  const Space space = published_space({224});
  Genome a{};  // depth 2 in every stage
  Genome b = a;
  b[2] = 2;                 // kernel of the first stage's third block
  b[kFirstRatio + 19] = 1;  // ratio of the last stage's fourth
  CHECK(canonical(space, a) == canonical(space, b));
  CHECK(candidate_of(space, a) == candidate_of(space, b));
  b[1] = 2;
  CHECK(canonical(space, a) != canonical(space, b));
  b[kFirstDepth] = 1;
  CHECK(canonical(space, b)[2] == 2);
}

TEST_CASE("a value that the space does not hold is named") {
  const Space space = published_space({160});
  Candidate candidate = candidate_of(space, {});
  candidate.resolution = 224;
  CHECK(genome_of(space, candidate).error().message == "resolution 224 is not in the search space");
  candidate.resolution = 160;
  candidate.architecture.kernel_sizes[1] = 9;
  CHECK(genome_of(space, candidate).error().message == "kernel size 9 is not in the search space");
  candidate.architecture.kernel_sizes[1] = 3;
  candidate.architecture.kernel_sizes[2] = 9;  // an absent block's
  CHECK(genome_of(space, candidate).ok());
  candidate.architecture.depths[4] = 1;
  CHECK(genome_of(space, candidate).error().message == "depth 1 is not in the search space");
}
