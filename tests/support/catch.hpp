// SPDX-License-Identifier: Apache-2.0
// Hides where Catch2 2.13 (Debian 12) and Catch2 3 keep their headers. Tests include only this one and keep
// to TEST_CASE, SECTION, REQUIRE*, CHECK*, GENERATE, INFO, FAIL and Approx, which read the same in both.
#pragma once

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
using Catch::Approx;  // as Catch2 2.13 has it
#else
#include <catch2/catch.hpp>
namespace Catch {
using Detail::Approx;
}
#endif
