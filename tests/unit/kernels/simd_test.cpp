// SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/kernels/simd.hpp"

#include <algorithm>
#include <limits>

#include "daemon/engine/kernels/table.hpp"
#include "tests/support/catch.hpp"

namespace dofa::engine::kernels {

TEST_CASE("A cap chooses the target, and lifting it brings the best one back") {
  REQUIRE(cap_simd_target(""));
  const auto targets = simd_targets();
  REQUIRE_FALSE(targets.empty());
  const KernelTable* best = &kernel_table();
  for (const std::string& target : targets) {
    REQUIRE(cap_simd_target(target));
    CHECK(simd_target() == target);
    CHECK((&kernel_table() == best) == (target == targets.front()));
  }
  CHECK_FALSE(cap_simd_target("NO_SUCH_TARGET"));
  CHECK(simd_target() == targets.front());
}

TEST_CASE("The guard flushes denormal numbers and restores the mode") {
  volatile float tiny = std::numeric_limits<float>::min();
  volatile float half = 0.5f;
  REQUIRE(tiny * half != 0.0f);
  {
    const FlushDenormals guard;
    CHECK(tiny * half == 0.0f);
    {
      const FlushDenormals inner;
      CHECK(tiny * half == 0.0f);
    }
    CHECK(tiny * half == 0.0f);
  }
  CHECK(tiny * half != 0.0f);
}

}  // namespace dofa::engine::kernels
